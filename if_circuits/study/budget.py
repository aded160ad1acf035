"""How large a study can be in a given time on this machine, from a few timed seconds.

What is timed: one batch of answers, a few tokens long, and the probes of all tasks at one layer and position,
on random numbers of the study's shape. The rest is counting. Half of the time at most goes to causal
ablation, and a fifth to localisation, which do not grow with the study. What is left decides the number of
base queries, and deep models are read at every second, third, ... layer where probing would take more than a
quarter.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from if_circuits.analyses.localisation.analysis import passes_of
from if_circuits.errors import InputError
from if_circuits.generation.decoding import decode
from if_circuits.models.loading import LoadedModel
from if_circuits.models.settings import RunSettings
from if_circuits.study.config import StudyConfig, suite_of
from if_circuits.study.counts import ablated_answers, answers, cells, pilot_answers
from if_circuits.study.forecast.cell import cell_timer
from if_circuits.study.order import has_second_judges
from if_circuits.study.pilot_answers import N_QUERIES, pilot_prompts
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.suites.choice import get_suite

RANDOM_SUBSPACES = (20, 10, 6, 4)
"""Draws of each kind of control, of which the most are taken that fit."""
FEWEST_QUERIES = 20
TIMED_TOKENS = 8
USED_SHARE = 0.45
"""Length of a mean answer, of the longest's: rows that end make room for others. It was 0.35 for SmolLM2; at
the end of a stage rows leave a batch that nobody joins."""
PROBED_SHARE, ABLATED_SHARE, LOCATED_SHARE = 0.25, 0.5, 0.2
_UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Rates:
    """What was timed, in seconds."""

    answer: float
    """An answer, beside as many others as a batch has."""
    reading: float
    """A teacher-forced pass over a prompt and its answer."""


@dataclass(frozen=True)
class Plan:
    """A study that fits a budget, and what it is expected to take."""

    config: StudyConfig
    seconds: Mapping[str, float]
    """By stage: pilot, responses, activations, probes, ablation, localisation."""
    half_width: float
    """Of the 95 % interval of an AUROC near chance whose labels are balanced; the widest that it
    should be, as if all rows of a base query were one."""

    @property
    def options(self) -> str:
        """The options of `if-circuits run` that give this study again, on any machine."""
        config = self.config
        layers = "" if config.layers is None else f" --layers {' '.join(map(str, config.layers))}"
        return (
            f"--base-queries {config.n_base_queries} --prompts-per-query {config.prompts_per_query} "
            f"--samples {config.samples_per_prompt} --random-subspaces {config.settings.n_random_subspaces}"
            f"{layers} --analyses {' '.join(config.analyses)}"
        )

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {span(taken)}" for name, taken in self.seconds.items())
        return (
            f"{span(sum(self.seconds.values()))} expected ({parts}) for {self.config.n_base_queries} base "
            f"queries; an AUROC to ±{self.half_width:.2f}. The same study by options: {self.options}"
        )


def span(seconds: float) -> str:
    """A time in words, as "1 h 5 min"."""
    minutes = max(1, round(seconds / 60))
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def seconds_of(text: str) -> float:
    """Seconds of a time such as 20m, 1.5h or 2h30m. Raises InputError for what is none."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", text)
    if not parts or "".join(map("".join, parts)) != text:
        raise InputError(f"{text!r} is no time; give hours, minutes or seconds, as 90m, 2h or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def plan(config: StudyConfig, model: LoadedModel, run_settings: RunSettings, *, seconds: float) -> Plan:
    """The largest study of a configuration that is expected to fit into `seconds`.

    It decides base queries, layers, and the number of random subspaces; and leaves causal ablation out where
    half of the time does not suffice for it. All else is the configuration's.

    Raises:
        InputError: For a file of prompts, whose size is given, for another generator than the bridge, whose
            speed is not known, and for less time than the smallest study needs.
    """
    if config.prompts is not None:
        raise InputError("--budget chooses the number of prompts, and cannot go with --prompts")
    if config.generator != "bridge":
        raise InputError(f"--budget times the bridge, and cannot go with --generator {config.generator}")
    rates = measure(config, model, run_settings)
    n_tasks = len(get_tasks(config.tasks))
    taken = {"pilot": pilot_answers(config) * rates.answer}
    config, ablation = _with_ablation(config, n_tasks, rates, seconds)
    located = passes_of(n_tasks, model.n_layers) * rates.reading
    config, located = _with_localisation(config, located, seconds)
    layers = run_settings.layers or tuple(range(-1, model.n_layers))
    most = len(get_suite(suite_of(config)).available(held_out_only=model.preset.held_out_only))
    most -= N_QUERIES if taken["pilot"] else 0
    seconds_of_cell = cell_timer(n_tasks, model.d_model, n_folds=config.settings.n_folds)
    for n in sorted({most, *range(FEWEST_QUERIES, most, 10)}, reverse=True):
        rows = n * config.prompts_per_query * config.samples_per_prompt
        cell = seconds_of_cell(rows)
        for stride in range(1, 1 + max(1, len(layers) // 6)):
            read = layers if stride == 1 else (layers[0], *layers[1:][stride - 1 :: stride])
            spent = {
                **taken,
                "responses": answers(config, n_tasks, n) * rates.answer,
                "activations": 3 * n_tasks * rows * rates.reading,
                "probes": (1 + has_second_judges(config)) * cells(config.analyses, len(read)) * cell,
                "ablation": ablation,
                "localisation": located,
            }
            if sum(spent.values()) <= seconds and (spent["probes"] <= PROBED_SHARE * seconds):
                fitting = replace(config, n_base_queries=n, layers=None if stride == 1 else read)
                return Plan(fitting, spent, _half_width(n))
    raise InputError(
        f"{span(seconds)} are too few for {FEWEST_QUERIES} base queries of {n_tasks} tasks: an answer takes "
        f"{rates.answer:.2f} s here; give more time, or fewer --tasks"
    )


def sized_as(config: StudyConfig, other: StudyConfig) -> StudyConfig:
    """The configuration with what a budget decides as another study has it."""
    settings = replace(config.settings, n_random_subspaces=other.settings.n_random_subspaces)
    return replace(
        config,
        n_base_queries=other.n_base_queries,
        layers=other.layers,
        analyses=other.analyses,
        settings=settings,
    )


def measure(config: StudyConfig, model: LoadedModel, run_settings: RunSettings) -> Rates:
    """Time a batch of answers, as long as `TIMED_TOKENS`."""
    tasks = get_tasks(config.tasks)
    asked = pilot_prompts(
        tasks,
        get_suite(suite_of(config)),
        n_base_queries=1,
        seed=config.seed,
        held_out_only=model.preset.held_out_only,
    )
    n = run_settings.batch_size
    texts = [str(text) for text in asked["prompt"]]
    prompts = model.chat.encode([texts[i % len(texts)] for i in range(n)])
    decode(model, prompts[:2], range(2), max_new_tokens=1)  # whatever the first pass sets up
    reading = _timed(lambda: decode(model, prompts, range(n), max_new_tokens=1))
    both = _timed(lambda: decode(model, prompts, range(n), max_new_tokens=1 + TIMED_TOKENS))
    step = max(both - reading, 0.0) / TIMED_TOKENS
    longest = run_settings.max_new_tokens
    mean_prompt = float(np.mean([len(ids) for ids in prompts]))
    return Rates(
        answer=(reading + USED_SHARE * longest * step) / n,
        reading=reading / n * (1 + USED_SHARE * longest / mean_prompt),
    )


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _with_ablation(
    config: StudyConfig, n_tasks: int, rates: Rates, seconds: float
) -> tuple[StudyConfig, float]:
    """The configuration with as many random subspaces as fit, or without causal ablation; and its seconds."""
    if "causal_ablation" not in config.analyses:
        return config, 0.0
    for n in RANDOM_SUBSPACES:
        needed = ablated_answers(n_tasks, n) * rates.answer
        if needed <= ABLATED_SHARE * seconds:
            return replace(config, settings=replace(config.settings, n_random_subspaces=n)), needed
    return replace(config, analyses=tuple(a for a in config.analyses if a != "causal_ablation")), 0.0


def _with_localisation(config: StudyConfig, needed: float, seconds: float) -> tuple[StudyConfig, float]:
    """The configuration, without localisation where that would take too large a share; and its seconds."""
    if "localisation" in config.analyses and needed <= LOCATED_SHARE * seconds:
        return config, needed
    return replace(config, analyses=tuple(a for a in config.analyses if a != "localisation")), 0.0


def _half_width(n_queries: int) -> float:
    """1.96 standard errors of an AUROC without a signal (Mann-Whitney), half of the units of either label."""
    half = n_queries / 2
    return 1.96 * math.sqrt((2 * half + 1) / (12 * half * half))
