"""The first stages of a study: which prompts it asks, and the pilot that chooses their grades."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from if_circuits.errors import InputError
from if_circuits.io.files import write_parquet
from if_circuits.study.config import StudyConfig, suite_of
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.order import has_pilot
from if_circuits.study.pilot import kept_grades, pilot_table, without_verdict
from if_circuits.study.pilot_answers import answer_asked, answer_pilot, pilot_prompts
from if_circuits.study.stage import StageProgress, stage
from if_circuits.study.writing import written
from if_circuits.tasks.ifeval import prompts_digest, read_ifeval
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.suites.choice import get_suite
from if_circuits.tasks.verification import verify

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from if_circuits.engine.base import Engine
    from if_circuits.generation.on_vllm import Writer
    from if_circuits.generation.responses import GenerationConfig
    from if_circuits.models.loading import LoadedModel
    from if_circuits.models.settings import RunSettings


def run_pilot(
    directory: StudyDirectory,
    config: StudyConfig,
    model: LoadedModel,
    run_settings: RunSettings,
    settings: GenerationConfig,
    progress: StageProgress,
    engine: Engine,
    *,
    write: Writer | None = None,
) -> None:
    """Write the pilot's answers, their verdicts, and which grades the study asks; nothing where it has none.

    Answers and verdicts are stages of their own: another judge costs no answer.
    """
    if not has_pilot(config):
        return
    with stage("pilot.responses", directory, progress=progress) as work:
        if work is not None:
            ask = partial(written, engine, model, answer_asked, write=write, progress=work.report)
            answers = answer_pilot(prompts_of_pilot(config), settings, ask)
            write_parquet(directory.pilot_answers, answers)
            work.wrote(directory.pilot_answers)
    with stage("pilot", directory, progress=progress) as work:
        if work is not None:
            responses = verify(pd.read_parquet(directory.pilot_answers), chosen=run_settings.judges)
            write_parquet(directory.pilot_responses, responses)
            write_parquet(directory.pilot, pilot_table(responses))
            work.wrote(directory.pilot_responses, directory.pilot)


def make_prompts(
    directory: StudyDirectory, config: StudyConfig, model: LoadedModel, progress: StageProgress
) -> None:
    """Write the constrained prompts and their unconstrained twins; a file of prompts has no twins."""
    with stage("prompts", directory, progress=progress) as work:
        if work is None:
            return
        kept = kept_grades(pd.read_parquet(directory.pilot)) if has_pilot(config) else None
        write_parquet(directory.prompts, prompts_of(config, model, kept=kept))
        work.wrote(directory.prompts)


def prompts_of(
    config: StudyConfig, model: LoadedModel, *, kept: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """The prompts of a study: built, of the grades that were kept or of all; or read from its file."""
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
        suite=get_suite(suite_of(config)),
        kept=kept,
    )


def prompts_of_pilot(config: StudyConfig) -> pd.DataFrame:
    """What the pilot of a study asks. Raises InputError where the study leaves it too few base queries."""
    return pilot_prompts(
        get_tasks(config.tasks),
        get_suite(suite_of(config)),
        n_base_queries=config.n_base_queries,
        seed=config.seed,
    )


def unmeasured(directory: StudyDirectory) -> dict[str, str]:
    """Tasks that the study only describes, with what the pilot found of them; none without a pilot."""
    if not has_pilot(directory.config):
        return {}
    return without_verdict(pd.read_parquet(directory.pilot))
