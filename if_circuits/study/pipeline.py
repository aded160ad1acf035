"""The stages of a study, in order. Each reads what those before it wrote, and is skipped when it was done.

The pilot, where there is one, and the prompts (both in `prompting`), responses, verification, compliance,
counterfactual pairs, activations and the analyses; what comes after them is in `closing`. A stage whose key
(`keys`) has changed is done again.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

import pandas as pd

from if_circuits.activations.capture import capture
from if_circuits.activations.captured import CapturedActivations
from if_circuits.activations.store import ActivationStore, discard, discard_unreadable
from if_circuits.analyses.base import AnalysisResult, get_analysis
from if_circuits.analyses.compliance.analysis import compliance_table
from if_circuits.analyses.shared.probing import study_folds
from if_circuits.engine.base import Engine
from if_circuits.errors import InputError
from if_circuits.generation.responses import encode_prompts
from if_circuits.generation.sampling import sampled
from if_circuits.generation.shared_answers import shared_out
from if_circuits.io.files import write_parquet
from if_circuits.models.loading import LoadedModel
from if_circuits.models.settings import RunSettings
from if_circuits.study.answering import generation_settings
from if_circuits.study.config import StudyConfig, suite_of
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.order import Pass, generated, has_pilot, passes
from if_circuits.study.outlook import Shortage
from if_circuits.study.pilot import described
from if_circuits.study.prompting import prompts_of, prompts_of_pilot, unmeasured
from if_circuits.study.prospects import shortages_of
from if_circuits.study.stage import StageProgress, stage
from if_circuits.study.stored import open_store
from if_circuits.tasks.counterfactual import counterfactual_pairs
from if_circuits.tasks.suites.choice import get_suite
from if_circuits.tasks.verification import judges_for, verify

_logger = logging.getLogger(__name__)

PAIRS_PER_TASK = 300
"""Counterfactual pairs of a task at most: as many rows as a task has responses by default. More
would cost time and gain little, since base queries are the units."""


def check_prompts(config: StudyConfig, model: LoadedModel, run_settings: RunSettings) -> None:
    """Raise InputError, before anything is written, for prompts that cannot be made or answered."""
    settings = generation_settings(config, run_settings, greedy=False)
    encode_prompts(model, prompts_of(config, model), settings)
    if has_pilot(config):
        encode_prompts(model, prompts_of_pilot(config), settings)


def verify_responses(directory: StudyDirectory, run_settings: RunSettings, progress: StageProgress) -> None:
    """Write all responses with the verdicts of their tasks' verifiers."""
    with stage("verification", directory, progress=progress) as work:
        if work is None:
            return
        responses = [_answered(directory, each) for each in passes(directory.config)]
        verified = verify(pd.concat(responses, ignore_index=True), chosen=run_settings.judges)
        write_parquet(directory.responses, verified)
        work.wrote(directory.responses)


def _answered(directory: StudyDirectory, each: Pass) -> pd.DataFrame:
    """The responses of a pass, one row for each prompt and sample."""
    parts = [pd.read_parquet(path) for path in generated(directory, only=each)]
    answers = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if not get_suite(suite_of(directory.config)).answered_once or directory.config.prompts is not None:
        return answers
    if each.constrained:
        return answers.assign(answer=answers["response_id"])
    prompts = pd.read_parquet(directory.prompts)
    return shared_out(prompts[~prompts["constrained"]], answers)


def measure_compliance(directory: StudyDirectory, config: StudyConfig, progress: StageProgress) -> None:
    """Write how often each task's constraint is satisfied, asked for and not."""
    with stage("compliance", directory, progress=progress) as work:
        if work is None:
            return
        responses, settings = pd.read_parquet(directory.responses), config.settings
        table = compliance_table(
            responses,
            n_bootstrap=settings.n_bootstrap,
            seed=settings.seed,
            pilot=unmeasured(directory),
        )
        write_parquet(directory.compliance, table)
        work.wrote(directory.compliance)


def pair_counterfactuals(
    directory: StudyDirectory,
    config: StudyConfig,
    model: LoadedModel,
    run_settings: RunSettings,
    progress: StageProgress,
) -> None:
    """Write the sampled responses that comply under a prompt that they satisfy and one that they break.

    Labels are balanced within each fold of the probes, which is what keeps a prompt's words at chance.
    """
    with stage("counterfactual", directory, progress=progress) as work:
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
            suite=get_suite(suite_of(config)),
        )
        encoded = model.chat.encode([str(prompt) for prompt in pairs["prompt"]])
        write_parquet(directory.counterfactual, pairs.assign(prompt_tokens=pd.Series(encoded, dtype=object)))
        work.wrote(directory.counterfactual)


def capture_activations(
    directory: StudyDirectory,
    model: LoadedModel,
    run_settings: RunSettings,
    progress: StageProgress,
    engine: Engine,
) -> None:
    """Capture the sampled responses, twins included, since specificity compares the two; and the pairs.

    A verdict plays no part in it: other ones of the same responses cost nothing here.
    """
    for name, table, path in (
        ("activations", directory.responses, directory.activations),
        ("activations.counterfactual", directory.counterfactual, directory.counterfactual_activations),
    ):
        with stage(name, directory, progress=progress, discard=partial(discard, path)) as work:
            if work is None:
                continue
            discard_unreadable(path)
            rows = pd.read_parquet(table)
            rows = sampled(rows) if name == "activations" else rows
            if rows.empty:
                continue
            capture(
                model,
                rows,
                path=path,
                layers=run_settings.layers,
                batch_size=run_settings.batch_size,
                dtype=directory.config.store_dtype or "float32",
                engine=engine,
                progress=work.report,
            )
            work.wrote(*ActivationStore.open(path).files)


def run_analyses(
    directory: StudyDirectory,
    names: Sequence[str],
    model: Callable[[], LoadedModel],
    run_settings: RunSettings,
    progress: StageProgress,
    engine: Engine,
) -> None:
    """Write the table and the verdict of each analysis; `model` is called only for one that uses a model."""
    short = shortages_of(directory, names)
    for name in names:
        spared = name in short and short[name].skips_model
        needed = model() if get_analysis(name).uses_model and not spared else None
        kept = directory.kept(f"analyses.{name}")
        with stage(f"analyses.{name}", directory, progress=progress, discard=kept.discard) as work:
            if work is None:
                continue
            given: dict[str, object] = {"engine": engine, "progress": work.report}
            if needed is not None:
                given |= {"model": needed, "run_settings": run_settings, "kept": kept}
            work.wrote(*directory.write_result(analysed(directory, name, short.get(name), **given)))
            kept.discard()


def analysed(
    directory: StudyDirectory, name: str, shortage: Shortage | None, **given: object
) -> AnalysisResult:
    """What an analysis finds; where its verdict cannot be had, its numbers describe, and a note says why.

    Tasks for which the pilot found no grade take no part, which a note says; where that is all of them, there
    is no verdict to take part in, and all are described.
    """
    analysis, left_out = get_analysis(name), unmeasured(directory)
    source = open_activations(directory)
    if set(source.responses["task"]) - set(left_out):
        source = open_activations(directory, without=left_out)
    result = analysis.run(source, directory.config.settings, **given)
    if left_out:
        notes = (*result.verdict.notes, *described(left_out))
        result = replace(result, verdict=replace(result.verdict, notes=notes))
    if shortage is None:
        return result
    notes = (str(shortage), *result.verdict.notes)
    return replace(result, verdict=replace(result.verdict, verdict="inconclusive", notes=notes))


def open_activations(directory: StudyDirectory, *, without: Iterable[str] = ()) -> CapturedActivations:
    """The captured responses with their activations, and the counterfactual pairs with theirs, of all tasks
    but those named.

    Raises InputError when something is not captured yet.
    """
    if not directory.counterfactual.is_file():
        raise InputError(
            f"{directory.place} has no counterfactual pairs yet; "
            f"go on with `if-circuits run {directory.config.model} --out {directory.place}`"
        )
    responses, rows = rows_to_capture(directory, without=without)
    pairs = None
    if len(rows):
        store = open_store(directory.counterfactual_activations, directory)
        pairs = CapturedActivations(rows, store, base_queries=responses["base_query"].tolist())
    store = open_store(directory.activations, directory)
    return CapturedActivations(responses, store, counterfactual=pairs)


def rows_to_capture(
    directory: StudyDirectory, *, without: Iterable[str] = ()
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The sampled responses and the counterfactual pairs, of all tasks but those named."""
    tables = sampled(pd.read_parquet(directory.responses)), pd.read_parquet(directory.counterfactual)
    responses, pairs = (table[~table["task"].isin(list(without))] for table in tables)
    return responses, pairs
