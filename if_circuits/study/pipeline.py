"""The stages of a study, in order. Each reads what those before it wrote, and is skipped when it was done.

prompts, responses, verification, counterfactual pairs, activations, the analyses, and last the figures, the
report and the summary.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from if_circuits.activations.capture import capture
from if_circuits.activations.captured import CapturedActivations
from if_circuits.activations.manifest import MANIFEST_FILE
from if_circuits.activations.store import ActivationStore, discard_unreadable
from if_circuits.analyses.base import get_analysis
from if_circuits.analyses.compliance.analysis import compliance_table
from if_circuits.analyses.compliance.figure import compliance_figure
from if_circuits.analyses.shared.probing import study_folds
from if_circuits.errors import InputError
from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.io.files import json_text, write_bytes, write_parquet
from if_circuits.models.loading import LoadedModel
from if_circuits.models.settings import RunSettings
from if_circuits.plotting.style import png_bytes
from if_circuits.report.page import ReportContent, render_report, shipped_calibration
from if_circuits.study.config import StudyConfig
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.stage import Progress, stage
from if_circuits.tasks.counterfactual import counterfactual_pairs
from if_circuits.tasks.ifeval import prompts_digest, read_ifeval
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.verification import judges_for, verify

CLOSING = "closing"
"""The stage that writes figures, report and summary."""
PAIRS_PER_TASK = 300
"""Counterfactual pairs of a task at most: as many rows as a task has responses by default. More
would cost time and gain little, since base queries are the units."""
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
    """Write the constrained prompts and their unconstrained twins; a file of prompts has no twins."""
    with stage("prompts", directory, inputs=(), progress=progress) as work:
        if work is None:
            return
        write_parquet(directory.prompts, _prompts(config, model))
        work.wrote(directory.prompts)


def _prompts(config: StudyConfig, model: LoadedModel) -> pd.DataFrame:
    if config.prompts is not None:
        path = Path(config.prompts)
        if prompts_digest(path) != config.prompts_sha256:
            raise InputError(
                f"{path} is not the file that this study began with; give that one, or start anew"
            )
        return read_ifeval(path, tasks=config.tasks)
    return build_prompts(
        get_tasks(config.tasks),
        n_base_queries=config.n_base_queries,
        prompts_per_query=config.prompts_per_query,
        seed=config.seed,
        held_out_only=model.preset.held_out_only,
    )


def make_responses(
    directory: StudyDirectory,
    config: StudyConfig,
    model: LoadedModel,
    run_settings: RunSettings,
    progress: Progress,
) -> None:
    """Write the responses of each pass: constrained and unconstrained sampled, constrained greedy.

    Part by part, so that an interruption costs one part, and a damaged part nothing but itself.
    """
    prompts = pd.read_parquet(directory.prompts)
    for each in _passes(config):
        name, inputs = f"responses.{each.name}", (directory.prompts,)
        with stage(name, directory, inputs=inputs, progress=progress, model=model) as work:
            if work is None:
                continue
            settings = GenerationConfig.of(
                run_settings,
                temperature=0.0 if each.greedy else config.temperature,
                samples_per_prompt=1 if each.greedy else config.samples_per_prompt,
                seed=config.seed,
            )
            asked = prompts[prompts["constrained"] == each.constrained]
            for number, start in enumerate(range(0, len(asked), PART_PROMPTS)):
                path = directory.generated(each.name, number)
                if directory.ledger.fault(path):
                    part = asked.iloc[start : start + PART_PROMPTS].reset_index(drop=True)
                    responses = generate(
                        model, part, settings, progress=work.part(start / len(asked), len(part) / len(asked))
                    )
                    if each.greedy:  # else the first sample of the same prompt would have the same name
                        responses["response_id"] = responses["prompt_id"] + "/greedy"
                    write_parquet(path, responses)
                    directory.ledger.keep(path)
                work.wrote(path)


def verify_responses(
    directory: StudyDirectory, config: StudyConfig, run_settings: RunSettings, progress: Progress
) -> None:
    """Write all responses with the verdicts of their tasks' verifiers."""
    generated = _generated(directory, config)
    with stage("verification", directory, inputs=generated, progress=progress) as work:
        if work is None:
            return
        responses = pd.concat([pd.read_parquet(path) for path in generated], ignore_index=True)
        write_parquet(directory.responses, verify(responses, chosen=run_settings.judges))
        work.wrote(directory.responses)


def pair_counterfactuals(
    directory: StudyDirectory,
    config: StudyConfig,
    model: LoadedModel,
    run_settings: RunSettings,
    progress: Progress,
) -> None:
    """Write the sampled responses that comply under a prompt that they satisfy and one that they break.

    Labels are balanced within each fold of the probes, which is what keeps a prompt's words at chance.
    """
    inputs = (directory.responses,)
    with stage("counterfactual", directory, inputs=inputs, progress=progress, model=model) as work:
        if work is None:
            return
        responses = sampled(pd.read_parquet(directory.responses))
        if config.prompts is not None:  # another constraint cannot be put into a prompt of others' wording
            responses = responses.iloc[:0]
        queries = sorted(set(responses["base_query"]))
        probed = len(queries) >= config.settings.n_folds
        folds = study_folds(queries, config.settings).tolist() if probed else [0] * len(queries)
        pairs = counterfactual_pairs(
            responses,
            judges_for(map(str, responses["task"].unique()), run_settings.judges),
            seed=config.seed,
            block_of=dict(zip(queries, folds, strict=True)),
            pairs_per_task=PAIRS_PER_TASK,
        )
        encoded = model.chat.encode([str(prompt) for prompt in pairs["prompt"]])
        write_parquet(directory.counterfactual, pairs.assign(prompt_tokens=pd.Series(encoded, dtype=object)))
        work.wrote(directory.counterfactual)


def capture_activations(
    directory: StudyDirectory, model: LoadedModel, run_settings: RunSettings, progress: Progress
) -> None:
    """Capture the sampled responses, twins included, since specificity compares the two; and the pairs."""
    for name, table, path in (
        ("activations", directory.responses, directory.activations),
        ("activations.counterfactual", directory.counterfactual, directory.counterfactual_activations),
    ):
        with stage(name, directory, inputs=(table,), progress=progress, model=model) as work:
            if work is None:
                continue
            rows = pd.read_parquet(table)
            rows = sampled(rows) if name == "activations" else rows
            if rows.empty:
                continue
            discard_unreadable(path)
            capture(
                model,
                rows,
                path=path,
                layers=run_settings.layers,
                batch_size=run_settings.batch_size,
                progress=work.report,
            )
            work.wrote(*ActivationStore.open(path).files)


def run_analyses(
    directory: StudyDirectory,
    names: Sequence[str],
    model: Callable[[], LoadedModel],
    run_settings: RunSettings,
    progress: Progress,
) -> None:
    """Write the table and the verdict of each analysis; `model` is called only for one that uses a model."""
    settings = directory.config.settings
    captured = (directory.activations, directory.counterfactual_activations)
    manifests = [path / MANIFEST_FILE for path in captured if path.is_dir()]
    inputs = (directory.responses, directory.counterfactual, *manifests)
    for name in names:
        analysis = get_analysis(name)
        needed = model() if analysis.uses_model else None
        on_model = {} if needed is None else {"model": needed, "run_settings": run_settings}
        with stage(f"analyses.{name}", directory, inputs=inputs, progress=progress, model=needed) as work:
            if work is None:
                continue
            result = analysis.run(open_activations(directory), settings, **on_model)
            work.wrote(*directory.write_result(result))


def close_study(directory: StudyDirectory, config: StudyConfig, progress: Progress) -> None:
    """Write the figures, the report and the summary."""
    done = directory.ledger.read()["stages"]
    results = [name for each in config.analyses for name in done[f"analyses.{each}"]["outputs"]]
    inputs = (directory.responses, *(directory.root / name for name in results))
    with stage(CLOSING, directory, inputs=inputs, progress=progress) as work:
        if work is None:
            return
        responses = pd.read_parquet(directory.responses)
        compliance = compliance_table(
            responses, n_bootstrap=config.settings.n_bootstrap, seed=config.settings.seed
        )
        results = {name: directory.read_result(name) for name in config.analyses}
        figures = {name: png_bytes(get_analysis(name).figure(result)) for name, result in results.items()}
        figures["compliance"] = png_bytes(compliance_figure(compliance))
        for name, png in figures.items():
            write_bytes(directory.figure(name), png)
            work.wrote(directory.figure(name))
        content = ReportContent(
            directory.ledger.read(), responses, compliance, results, figures, shipped_calibration()
        )
        write_bytes(directory.report, render_report(content).encode())
        write_bytes(directory.summary, summary_text(directory).encode())
        work.wrote(directory.report, directory.summary)


def open_activations(directory: StudyDirectory) -> CapturedActivations:
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
        pairs = CapturedActivations(rows, store, base_queries=responses["base_query"].tolist())
    return CapturedActivations(responses, ActivationStore.open(directory.activations), counterfactual=pairs)


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
        "counterfactual",
        "activations",
        "activations.counterfactual",
        *(f"analyses.{name}" for name in config.analyses),
        CLOSING,
    ]
