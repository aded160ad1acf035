"""The stages of a study, in order. Each reads what those before it wrote, and is skipped when it was done.

prompts, responses, verification, activations, then the analyses, their figures, the report and the summary.
"""

import resource
import time
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from if_circuits.activations.capture import capture
from if_circuits.activations.manifest import MANIFEST_FILE
from if_circuits.activations.source import StudyActivations
from if_circuits.activations.store import ActivationStore, discard_unreadable
from if_circuits.analyses.base import load
from if_circuits.generation import GenerationConfig, generate
from if_circuits.models.loading import LoadedModel
from if_circuits.report.compliance import compliance_figure, compliance_table
from if_circuits.report.page import ReportContent, render_report
from if_circuits.report.style import png_bytes
from if_circuits.study.config import StudyConfig
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.files import json_text, write_bytes, write_parquet
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.verification import verify

Progress = Callable[[str, int, int], None]
"""Told the stage, how much of it is done, and of how much."""

CLOSING = "closing"
"""The stage that writes figures, report and summary."""
PART_PROMPTS = 256
"""Prompts whose responses are written together: what an interruption of generation can cost."""


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
    with _stage("prompts", directory, (), progress) as stage:
        if stage is None:
            return
        prompts = build_prompts(
            get_tasks(config.tasks),
            n_base_queries=config.n_base_queries,
            prompts_per_query=config.prompts_per_query,
            seed=config.seed,
            held_out_only=model.preset.held_out_only,
        )
        write_parquet(directory.prompts, prompts)
        stage.wrote(directory.prompts)


def make_responses(
    directory: StudyDirectory, config: StudyConfig, model: LoadedModel, progress: Progress
) -> None:
    """Write the responses of each pass: constrained and unconstrained sampled, constrained greedy.

    Part by part, so that an interruption costs one part, and a damaged part nothing but itself.
    """
    prompts = pd.read_parquet(directory.prompts)
    for each in _passes(config):
        with _stage(f"responses.{each.name}", directory, (directory.prompts,), progress) as stage:
            if stage is None:
                continue
            settings = GenerationConfig(
                max_new_tokens=model.preset.max_new_tokens,
                temperature=0.0 if each.greedy else config.temperature,
                samples_per_prompt=1 if each.greedy else config.samples_per_prompt,
                seed=config.seed,
                batch_size=model.preset.batch_size,
            )
            asked = prompts[prompts["constrained"] == each.constrained]
            for number, start in enumerate(range(0, len(asked), PART_PROMPTS)):
                path = directory.generated(each.name, number)
                if directory.ledger.fault(path):
                    part = asked.iloc[start : start + PART_PROMPTS].reset_index(drop=True)
                    responses = generate(
                        model, part, settings, progress=stage.part(start / len(asked), len(part) / len(asked))
                    )
                    if each.greedy:  # else the first sample of the same prompt would have the same name
                        responses["response_id"] = responses["prompt_id"] + "/greedy"
                    write_parquet(path, responses)
                    directory.ledger.keep(path)
                stage.wrote(path)


def verify_responses(directory: StudyDirectory, config: StudyConfig, progress: Progress) -> None:
    """Write all responses with the verdicts of their tasks' verifiers."""
    generated = _generated(directory, config)
    with _stage("verification", directory, generated, progress) as stage:
        if stage is None:
            return
        passes = [pd.read_parquet(path) for path in generated]
        write_parquet(directory.responses, verify(pd.concat(passes, ignore_index=True)))
        stage.wrote(directory.responses)


def capture_activations(
    directory: StudyDirectory, config: StudyConfig, model: LoadedModel, progress: Progress
) -> None:
    """Capture the sampled responses, the twins' included, since specificity compares the two."""
    with _stage("activations", directory, (directory.responses,), progress) as stage:
        if stage is None:
            return
        discard_unreadable(directory.activations)
        store = capture(
            model,
            sampled(pd.read_parquet(directory.responses)),
            directory=directory.activations,
            layers=config.layers,
            batch_size=model.preset.batch_size,
            progress=stage.report,
        )
        stage.wrote(*store.files)


def run_analyses(
    directory: StudyDirectory, names: Sequence[str], model: Callable[[], LoadedModel], progress: Progress
) -> None:
    """Write the table and the verdict of each analysis; `model` is called only for one that uses a model."""
    settings = directory.config.settings
    inputs = (directory.responses, directory.activations / MANIFEST_FILE)
    for name in names:
        with _stage(f"analyses.{name}", directory, inputs, progress) as stage:
            if stage is None:
                continue
            needed = model() if name == "causal_ablation" else None
            result = load(name).run(open_activations(directory), settings, model=needed)
            stage.wrote(*directory.write_result(result))


def close_study(directory: StudyDirectory, config: StudyConfig, progress: Progress) -> None:
    """Write the figures, the report and the summary."""
    done = directory.ledger.read()["stages"]
    results = [name for each in config.analyses for name in done[f"analyses.{each}"]["outputs"]]
    inputs = (directory.responses, *(directory.root / name for name in results))
    with _stage(CLOSING, directory, inputs, progress) as stage:
        if stage is None:
            return
        responses = pd.read_parquet(directory.responses)
        compliance = compliance_table(
            responses, n_bootstrap=config.settings.n_bootstrap, seed=config.settings.seed
        )
        results = {name: directory.read_result(name) for name in config.analyses}
        figures = {name: png_bytes(load(name).figure(result)) for name, result in results.items()}
        figures["compliance"] = png_bytes(compliance_figure(compliance))
        for name, png in figures.items():
            write_bytes(directory.figure(name), png)
            stage.wrote(directory.figure(name))
        content = ReportContent(directory.ledger.read(), responses, compliance, results, figures)
        write_bytes(directory.report, render_report(content).encode())
        write_bytes(directory.summary, summary_text(directory).encode())
        stage.wrote(directory.report, directory.summary)


def open_activations(directory: StudyDirectory) -> StudyActivations:
    """The captured responses with their activations."""
    return StudyActivations(
        sampled(pd.read_parquet(directory.responses)), ActivationStore.open(directory.activations)
    )


def sampled(responses: pd.DataFrame) -> pd.DataFrame:
    """Sampled responses only: greedy ones would repeat some of them."""
    return responses[responses["temperature"] > 0].reset_index(drop=True)


def _generated(directory: StudyDirectory, config: StudyConfig) -> list[Path]:
    """The parts of all passes, in their order."""
    outputs = [
        directory.ledger.read()["stages"][f"responses.{each.name}"]["outputs"] for each in _passes(config)
    ]
    return [directory.root / name for names in outputs for name in names]


def _passes(config: StudyConfig) -> list[_Pass]:
    return [each for each in _PASSES if config.greedy or not each.greedy]


def summary_text(directory: StudyDirectory) -> str:
    """What summary.json says: the model, the compliance and the claims, from the study's tables."""
    config = directory.config
    table = compliance_table(
        pd.read_parquet(directory.responses),
        n_bootstrap=config.settings.n_bootstrap,
        seed=config.settings.seed,
    )
    compliance = table.set_index("task")[["constrained", "unconstrained", "n"]]
    claims = {
        name: {
            "verdict": result.verdict.verdict,
            "effect": result.verdict.effect,
            "interval": list(result.verdict.interval),
            "p": result.verdict.p,
            "n": result.verdict.n,
        }
        for name, result in ((name, directory.read_result(name)) for name in config.analyses)
    }
    return json_text({"model": config.model, "compliance": compliance.to_dict("index"), "claims": claims})


def names(config: StudyConfig) -> list[str]:
    """The stages of a study, in their order."""
    return [
        "prompts",
        *(f"responses.{each.name}" for each in _passes(config)),
        "verification",
        "activations",
        *(f"analyses.{name}" for name in config.analyses),
        CLOSING,
    ]


class _Stage:
    """A stage at work: tells how far it is, and keeps a list of what it wrote."""

    def __init__(self, name: str, progress: Progress) -> None:
        self.outputs: list[Path] = []
        self._name, self._progress = name, progress

    def wrote(self, *paths: Path) -> None:
        """Name files that are finished; the stage is done when it ends with all of them in place."""
        self.outputs.extend(paths)

    def report(self, done: int, total: int) -> None:
        """Tell how much of the stage is done."""
        self._progress(self._name, done, total)

    def part(self, before: float, share: float) -> Callable[[int, int], None]:
        """What reports the progress of a part, which begins at `before` and is `share` of the stage."""
        return lambda done, total: self.report(round(_FINE * (before + share * done / total)), _FINE)


_FINE = 1000


@contextmanager
def _stage(
    name: str, directory: StudyDirectory, inputs: Sequence[Path], progress: Progress
) -> Generator[_Stage | None]:
    """Time a stage, and record it when it ends well; yields None when it was done before."""
    why = directory.ledger.pending(name, inputs)
    if why is None:
        yield None
        return
    if why:
        warnings.warn(f"{directory.root}: {why}; {name} is done again", stacklevel=4)
    stage = _Stage(name, progress)
    progress(name, 0, 1)
    started = time.perf_counter()
    yield stage
    # The highest resident memory of the process so far, in kilobytes on Linux.
    peak_memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    directory.ledger.finish(
        name,
        inputs=inputs,
        outputs=stage.outputs,
        seconds=time.perf_counter() - started,
        peak_memory_mb=peak_memory_mb,
    )
    progress(name, 1, 1)
