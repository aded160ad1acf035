"""The study on models with a planted mechanism, and what it finds beside what was planted.

Each model's study lies in a directory of its name: stopped, the same call goes on where it was. Results:
`answers.parquet` with one row a model and question, `agreement.parquet`, `summary.json`, `known_answers.png`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from if_circuits.analyses.validation.known_answers.answers import compare
from if_circuits.analyses.validation.known_answers.directions import planted_cosines
from if_circuits.analyses.validation.known_answers.figure import Recovered, figure
from if_circuits.analyses.validation.known_answers.summary import agreement, summarise
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.io.files import write_bytes, write_json, write_parquet
from if_circuits.models.loading import locate
from if_circuits.models.presets import IF_TINY, find_preset, register_preset
from if_circuits.planting.mechanism import Mechanism, load_mechanism
from if_circuits.plotting.style import png_bytes
from if_circuits.study.config import StudyConfig
from if_circuits.study.study import Study
from if_circuits.threads import one_thread_each

SHIPPED = ("if-tiny-universal", "if-tiny-compositional", "if-tiny-clustered", "if-tiny-monitoring")

OnStudy = Callable[[str, float], None]
"""Told the name of a model whose study is done, and the seconds that it took."""


@dataclass(frozen=True)
class PlantedStudy:
    """The study of one model: a unit of work."""

    model: str
    out: Path
    seed: int

    def __str__(self) -> str:
        return f"the study of {self.model} in {self.out}"


def known_answers(
    models: Sequence[str],
    out: Path,
    *,
    seed: int = 0,
    engine: Engine = IN_PROCESS,
    done: OnStudy = lambda *_: None,
) -> pd.DataFrame:
    """One row a model and question: model, kind, and the fields of `answer.Answer`.

    Args:
        models: Presets, or directories made by `if_circuits.planting.train`.
        out: Where the studies and the results are written.
        seed: Seed of the studies.
        engine: Carries the studies out.
        done: Told of each study that is done.

    Raises:
        InputError: A model has no mechanism beside it; nothing has been run then.
    """
    names = [Path(each).name for each in models]
    mechanisms = {name: mechanism_of(each) for name, each in zip(names, models, strict=True)}
    studies = [PlantedStudy(each, out / name, seed) for name, each in zip(names, models, strict=True)]
    with closing(engine.completed(study_one, studies)) as results:
        for place, seconds in results:
            done(names[place], seconds)
    found = [answers_of(Study.open(out / name), name, mechanisms[name]) for name in names]
    table = pd.concat(found, ignore_index=True)
    write_parquet(out / "answers.parquet", table)
    write_parquet(out / "agreement.parquet", agreement(table))
    write_json(out / "summary.json", summarise(table, mechanisms))
    shown = [_recovered(Study.open(out / name), name, mechanisms[name]) for name in names]
    write_bytes(out / "known_answers.png", png_bytes(figure(shown)))
    return table


def study_one(planted: PlantedStudy) -> float:
    """Run one model's study, or the rest of it; gives the seconds that it took."""
    started = time.monotonic()
    Study.run(StudyConfig(model=_as_preset(planted.model), seed=planted.seed), planted.out)
    return time.monotonic() - started


def answers_of(study: Study, name: str, mechanism: Mechanism) -> pd.DataFrame:
    """The answers of a finished study, of the analyses that it has."""
    settings = study.config.settings
    with one_thread_each():
        cosines = planted_cosines(study.activations, mechanism, seed=settings.seed)
    answers = compare(study.results, cosines, mechanism, alpha=settings.alpha)
    answers.insert(0, "model", name)
    answers.insert(1, "kind", mechanism.kind)
    return answers


def mechanism_of(model: str) -> Mechanism:
    """What was planted in a preset's model or in that of a directory. InputError where nothing was."""
    return load_mechanism(Path(locate(model)[0]))


def _recovered(study: Study, name: str, mechanism: Mechanism) -> Recovered:
    results = study.results
    return Recovered(name, mechanism, results["cross_task_transfer"], results["causal_ablation"])


def _as_preset(model: str) -> str:
    """A preset for a checkpoint in a directory: a study asks it what it asks if-tiny."""
    if find_preset(model) is not None:
        return model
    name, source = Path(model).name, str(Path(model).resolve())
    made = replace(IF_TINY, name=name, source=source, bundled=False, description="planted")
    if find_preset(name) != made:
        register_preset(made)
    return name
