"""The stages of a study, in order. Each reads what those before it wrote, and is skipped when it was done.

prompts, responses, verification, counterfactual pairs, the activations of responses and of pairs, then the
analyses, their figures, the report and the summary.
"""

import resource
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd

from if_circuits.activations.capture import capture
from if_circuits.activations.source import StudyActivations
from if_circuits.activations.store import ActivationStore
from if_circuits.analyses.base import load
from if_circuits.analyses.probing import study_folds
from if_circuits.errors import InputError
from if_circuits.generation import GenerationConfig, generate
from if_circuits.models.loading import LoadedModel
from if_circuits.report.compliance import compliance_figure, compliance_table
from if_circuits.report.page import ReportContent, render_report
from if_circuits.report.style import png_bytes
from if_circuits.study.config import StudyConfig
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.files import write_bytes, write_json, write_parquet
from if_circuits.tasks.counterfactual import counterfactual_pairs
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.verification import judges_for, verify
from if_circuits.threads import one_thread_each, threads_for

Progress = Callable[[str, int, int], None]
"""Told the stage, how much of it is done, and of how much."""

PAIRS_PER_TASK = 300
"""Counterfactual pairs of a task at most: as many rows as a task has responses by default. More
would cost time and gain little, since base queries are the units."""

CLOSING_STAGES = ("figures", "report", "summary")


@dataclass(frozen=True)
class _Pass:
    """One way through the prompts."""

    name: str
    constrained: bool
    greedy: bool


_PASSES = (
    _Pass("constrained", constrained=True, greedy=False),
    _Pass("unconstrained", constrained=False, greedy=False),
    _Pass("greedy", constrained=True, greedy=True),
)


def make_prompts(
    directory: StudyDirectory, config: StudyConfig, model: LoadedModel, progress: Progress
) -> None:
    """Write the constrained prompts and their unconstrained twins."""
    if directory.is_done("prompts", directory.prompts):
        return
    with _stage("prompts", directory, progress):
        prompts = build_prompts(
            get_tasks(config.tasks),
            n_base_queries=config.n_base_queries,
            prompts_per_query=config.prompts_per_query,
            seed=config.seed,
            held_out_only=model.preset.held_out_only,
        )
        write_parquet(directory.prompts, prompts)


def make_responses(
    directory: StudyDirectory, config: StudyConfig, model: LoadedModel, progress: Progress
) -> None:
    """Write the responses of each pass: constrained and unconstrained sampled, constrained greedy."""
    prompts = pd.read_parquet(directory.prompts)
    for each in _passes(config):
        stage = f"responses.{each.name}"
        path = directory.generated(each.name)
        if directory.is_done(stage, path):
            continue
        with _stage(stage, directory, progress, model=model) as report:
            settings = GenerationConfig(
                max_new_tokens=model.preset.max_new_tokens,
                temperature=0.0 if each.greedy else config.temperature,
                samples_per_prompt=1 if each.greedy else config.samples_per_prompt,
                seed=config.seed,
                batch_size=model.preset.batch_size,
            )
            asked = prompts[prompts["constrained"] == each.constrained].reset_index(drop=True)
            responses = generate(model, asked, settings, progress=report)
            if each.greedy:  # else the first sample of the same prompt would have the same name
                responses["response_id"] = responses["prompt_id"] + "/greedy"
            write_parquet(path, responses)


def verify_responses(
    directory: StudyDirectory, config: StudyConfig, model: LoadedModel, progress: Progress
) -> None:
    """Write all responses with the verdicts of their tasks' verifiers."""
    if directory.is_done("verification", directory.responses):
        return
    with _stage("verification", directory, progress):
        passes = [pd.read_parquet(directory.generated(each.name)) for each in _passes(config)]
        responses = pd.concat(passes, ignore_index=True)
        write_parquet(directory.responses, verify(responses, chosen=model.preset.judges))


def pair_counterfactuals(
    directory: StudyDirectory, config: StudyConfig, model: LoadedModel, progress: Progress
) -> None:
    """Write the sampled responses that comply under a prompt that they satisfy and one that they break.

    Labels are balanced within each fold of the probes, which is what keeps a prompt's words at chance.
    """
    if directory.is_done("counterfactual", directory.counterfactual):
        return
    with _stage("counterfactual", directory, progress, model=model):
        responses = sampled(pd.read_parquet(directory.responses))
        queries = sorted(set(responses["base_query"]))
        probed = len(queries) >= config.settings.n_folds
        folds = study_folds(queries, config.settings).tolist() if probed else [0] * len(queries)
        pairs = counterfactual_pairs(
            responses,
            judges_for(map(str, responses["task"].unique()), model.preset.judges),
            seed=config.seed,
            block_of=dict(zip(queries, folds, strict=True)),
            pairs_per_task=PAIRS_PER_TASK,
        )
        encoded = model.chat.encode([str(prompt) for prompt in pairs["prompt"]])
        write_parquet(directory.counterfactual, pairs.assign(prompt_tokens=pd.Series(encoded, dtype=object)))


def capture_activations(directory: StudyDirectory, model: LoadedModel, progress: Progress) -> None:
    """Capture the sampled responses, twins included, since specificity compares the two; and the pairs."""
    responses, pairs = pd.read_parquet(directory.responses), pd.read_parquet(directory.counterfactual)
    for stage, path, sequences in (
        ("activations", directory.activations, sampled(responses)),
        ("activations.counterfactual", directory.counterfactual_activations, pairs),
    ):
        if sequences.empty or directory.is_done(stage, path):
            continue
        with _stage(stage, directory, progress, model=model) as report:
            capture(
                model,
                sequences,
                directory=path,
                layers=model.preset.layers,
                batch_size=model.preset.batch_size,
                progress=report,
            )


def run_analyses(
    directory: StudyDirectory, names: Sequence[str], model: Callable[[], LoadedModel], progress: Progress
) -> None:
    """Write the table and the verdict of each analysis; `model` is called only for one that uses a model."""
    missing = [name for name in names if not directory.is_done(f"analyses.{name}", directory.verdict(name))]
    if not missing:
        return
    directory.mark_stale(CLOSING_STAGES)
    settings = directory.config.settings
    source = open_activations(directory)
    for name in missing:
        needed = model() if name == "causal_ablation" else None
        with _stage(f"analyses.{name}", directory, progress, model=needed):
            directory.write_result(load(name).run(source, settings, model=needed))


def close_study(directory: StudyDirectory, config: StudyConfig, progress: Progress) -> None:
    """Write the figures, the report and the summary."""
    outputs = (directory.figure("compliance"), directory.report, directory.summary)
    if all(directory.is_done(stage, path) for stage, path in zip(CLOSING_STAGES, outputs, strict=True)):
        return
    responses = pd.read_parquet(directory.responses)
    compliance = compliance_table(
        responses, n_bootstrap=config.settings.n_bootstrap, seed=config.settings.seed
    )
    results = {name: directory.read_result(name) for name in config.analyses}
    with _stage("figures", directory, progress):
        figures = {name: png_bytes(load(name).figure(result)) for name, result in results.items()}
        figures["compliance"] = png_bytes(compliance_figure(compliance))
        for name, png in figures.items():
            write_bytes(directory.figure(name), png)
    with _stage("report", directory, progress):
        content = ReportContent(directory.record(), responses, compliance, results, figures)
        write_bytes(directory.report, render_report(content).encode())
    with _stage("summary", directory, progress):
        write_json(directory.summary, _summary(config, content))


def open_activations(directory: StudyDirectory) -> StudyActivations:
    """The captured responses with their activations, and the counterfactual pairs with theirs.

    Raises InputError when something is not captured yet.
    """
    if not directory.counterfactual.is_file():
        raise InputError(
            f"{directory.root} has no counterfactual pairs yet; "
            f"go on with `if-circuits run {directory.config.model} --out {directory.root}`"
        )
    responses = sampled(pd.read_parquet(directory.responses))
    rows = pd.read_parquet(directory.counterfactual)
    pairs = None
    if len(rows):
        store = ActivationStore.open(directory.counterfactual_activations)
        pairs = StudyActivations(rows, store, base_queries=responses["base_query"].tolist())
    return StudyActivations(responses, ActivationStore.open(directory.activations), counterfactual=pairs)


def sampled(responses: pd.DataFrame) -> pd.DataFrame:
    """Sampled responses only: greedy ones would repeat some of them."""
    return responses[responses["temperature"] > 0].reset_index(drop=True)


def _passes(config: StudyConfig) -> list[_Pass]:
    return [each for each in _PASSES if config.greedy or not each.greedy]


def _summary(config: StudyConfig, content: ReportContent) -> dict[str, Any]:
    compliance = content.compliance.set_index("task")[["constrained", "unconstrained", "n"]]
    claims = {
        name: {
            "verdict": result.verdict.verdict,
            "effect": result.verdict.effect,
            "interval": list(result.verdict.interval),
            "p": result.verdict.p,
            "n": result.verdict.n,
        }
        for name, result in content.results.items()
    }
    return {"model": config.model, "compliance": compliance.to_dict("index"), "claims": claims}


@contextmanager
def _stage(
    name: str, directory: StudyDirectory, progress: Progress, *, model: LoadedModel | None = None
) -> Generator[Callable[[int, int], None]]:
    """Time a stage and record it when it ends well; yields what reports the progress within it."""
    progress(name, 0, 1)
    started = time.perf_counter()
    with one_thread_each() if model is None else threads_for(model.d_model):
        yield lambda done, total: progress(name, done, total)
    # The highest resident memory of the process so far, in kilobytes on Linux.
    peak_memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    directory.finish(name, seconds=time.perf_counter() - started, peak_memory_mb=peak_memory_mb)
    progress(name, 1, 1)
