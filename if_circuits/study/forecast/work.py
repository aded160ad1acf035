"""What each stage of a study does: answers and tokens, readings, probes, and bytes that stay on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from if_circuits.activations.dtypes import StoredDtype
from if_circuits.analyses.causal_ablation.answers import CONDITIONS_AT_A_TIME
from if_circuits.analyses.causal_ablation.behaviour import PROMPTS_PER_TASK
from if_circuits.analyses.causal_ablation.neutral_text import TEXTS
from if_circuits.analyses.causal_ablation.rebuilding import ROWS_PER_CLASS
from if_circuits.analyses.localisation.analysis import TOKENS, passes_of
from if_circuits.generation.parts import PART_PROMPTS
from if_circuits.models.settings import RunSettings
from if_circuits.study.config import StudyConfig, suite_of
from if_circuits.study.counts import ablated_by_part, answers_by_pass, cells, pilot_answers
from if_circuits.study.forecast.size import Size
from if_circuits.study.order import has_second_judges
from if_circuits.study.pilot_answers import N_QUERIES
from if_circuits.study.pipeline import PAIRS_PER_TASK
from if_circuits.study.space import BYTES_PER_TOKEN, activation_bytes
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.suites.choice import get_suite


@dataclass(frozen=True)
class Lengths:
    """Tokens of prompts and answers."""

    prompt: float
    """Of a mean prompt, chat template included."""
    answer: float
    """Of a mean answer."""
    longest: int
    """Where an answer is cut."""

    @property
    def both(self) -> float:
        return self.prompt + self.answer


@dataclass(frozen=True)
class Answers:
    """Answers that are written side by side, in runs that each end with the last answer."""

    n: int
    prompts: int
    """Readings of a prompt: samples share one, and so do conditions."""
    runs: int


@dataclass(frozen=True)
class Reading:
    """Texts that are read, all tokens of one at once."""

    n: int
    tokens: float
    logits: bool = False
    """Whether the next token's probabilities are wanted, and not activations alone."""


@dataclass(frozen=True)
class Work:
    """One stage, or all stages of one kind."""

    stage: str
    answers: tuple[Answers, ...] = ()
    readings: tuple[Reading, ...] = ()
    probes: int = 0
    """Specialists and generals of one task at one layer and position, folds and penalties included, with
    their part of what else is fitted there."""
    probed_rows: int = 0
    """Rows of each."""
    bytes: int = 0
    """Left on disk."""

    def tokens(self, lengths: Lengths) -> int:
        """Tokens that the model writes or reads."""
        written = sum(each.n * lengths.answer + each.prompts * lengths.prompt for each in self.answers)
        return round(written + sum(each.n * each.tokens for each in self.readings))


def work_of(
    config: StudyConfig,
    size: Size,
    run_settings: RunSettings,
    lengths: Lengths,
    *,
    dtype: StoredDtype = "float32",
) -> list[Work]:
    """The stages of a study that take long, in their order; it stores activations as `dtype`.

    Verification, figures and the report are not among them.
    """
    n_tasks = len(get_tasks(config.tasks))
    layers = run_settings.layers or tuple(range(-1, size.n_layers))
    rows = probed_rows(config)
    return [
        *_responses(config, n_tasks, lengths),
        *_activations(config, n_tasks, rows, layers, size.d_model, lengths, dtype=dtype),
        *_analyses(config, n_tasks, rows, layers, lengths),
    ]


def probed_rows(config: StudyConfig) -> int:
    """Rows of a probe of one task: its sampled answers."""
    return config.n_base_queries * config.prompts_per_query * config.samples_per_prompt


def _responses(config: StudyConfig, n_tasks: int, lengths: Lengths) -> Iterator[Work]:
    if piloted := pilot_answers(config):
        yield Work(
            "pilot.responses",
            (Answers(piloted, piloted, -(-piloted // PART_PROMPTS) + 1),),
            bytes=_text_bytes(piloted, lengths),
        )
    for name, n in answers_by_pass(config, n_tasks, config.n_base_queries).items():
        prompts = n // (1 if name == "greedy" else config.samples_per_prompt)
        made = Answers(n, prompts, -(-prompts // PART_PROMPTS))
        yield Work(f"responses.{name}", (made,), bytes=_text_bytes(n, lengths))


def _activations(
    config: StudyConfig,
    n_tasks: int,
    rows: int,
    layers: tuple[int, ...],
    d_model: int,
    lengths: Lengths,
    *,
    dtype: StoredDtype,
) -> Iterator[Work]:
    """Of sampled answers; and of counterfactual pairs, two rows for each of the half that complies."""
    by_pass = answers_by_pass(config, n_tasks, config.n_base_queries)
    read = {
        "activations": by_pass["constrained"] + by_pass["unconstrained"],
        "activations.counterfactual": n_tasks * min(2 * PAIRS_PER_TASK, rows),
    }
    for name, n in read.items():
        reading = Reading(n, lengths.both)
        size = activation_bytes(n, len(set(layers)), d_model, dtype=dtype)
        yield Work(name, readings=(reading,), bytes=size)


def _analyses(
    config: StudyConfig, n_tasks: int, rows: int, layers: tuple[int, ...], lengths: Lengths
) -> Iterator[Work]:
    if "causal_ablation" in config.analyses:
        yield _ablation(n_tasks, config.settings.n_random_subspaces, rows, lengths)
    if "localisation" in config.analyses:
        captured = len([layer for layer in layers if layer >= 0])
        text = lengths.prompt + min(TOKENS, lengths.answer)
        yield Work(
            "analyses.localisation", readings=(Reading(passes_of(n_tasks, captured), text, logits=True),)
        )
    if config.analyses:
        times = 1 + has_second_judges(config)  # once more on the labels on which two judges agree
        yield Work(
            "probes",
            probes=round(2 * times * n_tasks * cells(config.analyses, len(set(layers)))),
            probed_rows=rows,
        )


def _ablation(n_tasks: int, n_random: int, rows: int, lengths: Lengths) -> Work:
    """Answers under conditions, neutral text read under them, and own answers read again (`rebuilding`)."""
    conditions = 1 + n_tasks + 2 * n_random
    half = 2 * n_tasks * PROMPTS_PER_TASK
    runs = -(-conditions // CONDITIONS_AT_A_TIME)
    made = [Answers(n, min(n, half * runs), 2 * runs) for n in ablated_by_part(n_tasks, n_random).values()]
    unasked = Answers(half, half, 1)
    neutral = Reading(2 * TEXTS * conditions, lengths.both, logits=True)
    again = Reading(2 * n_tasks * min(4 * ROWS_PER_CLASS, rows), lengths.both)
    return Work("analyses.causal_ablation", (*made, unasked), (neutral, again))


def _text_bytes(n: int, lengths: Lengths) -> int:
    return round(n * lengths.both * BYTES_PER_TOKEN)


def suite_shortage(config: StudyConfig) -> str:
    """Why the study's own prompts do not suffice for it; empty where they do."""
    suite = get_suite(suite_of(config))
    queries = len(suite.available(held_out_only=suite.held_out is not None))
    queries -= N_QUERIES if suite.piloted else 0
    wordings = min(
        len(grade.paraphrases) for task in get_tasks(config.tasks) for grade in suite.grades_of(task)
    )
    if config.n_base_queries <= queries and config.prompts_per_query <= wordings:
        return ""
    return (
        f"the {suite.name} suite has {queries} base queries for a study and {wordings} wordings: "
        "this many prompts need a suite of your own"
    )
