"""The stages of responses: each pass is answered part by part, and a part is a unit of an engine.

An interruption costs the parts that were at work, and a damaged part nothing but itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from if_circuits.generation.parts import in_parts
from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.generation.sampling import GREEDY
from if_circuits.generation.shared_answers import distinct_requests
from if_circuits.io.files import write_parquet
from if_circuits.study.config import StudyConfig, suite_of
from if_circuits.study.order import Pass, passes
from if_circuits.study.stage import StageProgress, stage
from if_circuits.study.writing import written
from if_circuits.tasks.suites.choice import get_suite

if TYPE_CHECKING:
    from if_circuits.engine.base import Engine
    from if_circuits.generation.on_vllm import Writer
    from if_circuits.models.loading import LoadedModel
    from if_circuits.models.settings import RunSettings
    from if_circuits.progress import Report
    from if_circuits.study.directory import StudyDirectory


@dataclass(frozen=True)
class Part:
    """Some prompts of a pass: a unit of work."""

    prompts: Path
    """Where those of the whole study lie."""
    of: Pass
    shared: bool
    """Whether each request is answered once, for all tasks that share it."""
    rows: slice
    """Which of the prompts of the pass."""
    settings: GenerationConfig

    def __str__(self) -> str:
        return f"{self.of.name} responses, prompts {self.rows.start} to {self.rows.stop - 1}"


def asked_in(prompts: Path, each: Pass, *, shared: bool) -> pd.DataFrame:
    """What a pass asks."""
    table = pd.read_parquet(prompts)
    asked = table[table["constrained"] == each.constrained]
    return distinct_requests(asked) if shared else asked


def answer_part(
    model: LoadedModel, part: Part, progress: Report | None, /, *, write: Writer | None = None
) -> pd.DataFrame:
    """The responses to a part's prompts, the model's own where there is no other writer."""
    asked = asked_in(part.prompts, part.of, shared=part.shared).iloc[part.rows].reset_index(drop=True)
    responses = (write or generate)(model, asked, part.settings, progress=progress)
    if part.of.greedy:  # else the first sample of the same prompt would have the same name
        responses["response_id"] = responses["prompt_id"] + "/greedy"
    return responses


def make_responses(
    directory: StudyDirectory,
    config: StudyConfig,
    model: LoadedModel,
    run_settings: RunSettings,
    progress: StageProgress,
    engine: Engine,
    *,
    write: Writer | None = None,
) -> None:
    """Write the responses of each pass: constrained and unconstrained sampled, constrained greedy.

    In a suite whose tasks share their requests, each unconstrained request is answered once.
    """
    for each in passes(config):
        unfinished = partial(_drop_parts, directory, each)
        with stage(f"responses.{each.name}", directory, progress=progress, discard=unfinished) as work:
            if work is None:
                continue
            settings = generation_settings(config, run_settings, greedy=each.greedy)
            shared = _shares_answers(config, each)
            parts = {
                directory.generated(each.name, number): Part(directory.prompts, each, shared, rows, settings)
                for number, rows in enumerate(in_parts(len(asked_in(directory.prompts, each, shared=shared))))
            }
            missing = {path: part for path, part in parts.items() if directory.ledger.fault(path)}
            units = list(missing.values())
            sizes = [part.rows.stop - part.rows.start for part in units]
            answered = written(
                engine, model, answer_part, units, write=write, sizes=sizes, progress=work.report
            )
            for path, responses in zip(missing, answered, strict=True):
                write_parquet(path, responses)
                directory.ledger.keep(path)
            work.wrote(*parts)


def _drop_parts(directory: StudyDirectory, each: Pass) -> None:
    """Remove the parts of a pass that were made of something else: none may be taken for a new one."""
    for path in directory.parts(each.name):
        path.unlink()


def _shares_answers(config: StudyConfig, each: Pass) -> bool:
    """Whether what the pass answered belongs to the requests, and not to the prompts one by one."""
    own = config.prompts is None and get_suite(suite_of(config)).answered_once
    return own and not each.constrained


def generation_settings(config: StudyConfig, run_settings: RunSettings, *, greedy: bool) -> GenerationConfig:
    """How a pass of the study writes its responses."""
    return GenerationConfig.of(
        run_settings,
        temperature=GREEDY if greedy else run_settings.temperature,
        samples_per_prompt=1 if greedy else config.samples_per_prompt,
        seed=config.seed,
    )
