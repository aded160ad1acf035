"""What every measurement of localisation shares: the model, the pairs of each task, the halves to fit and try
on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Int

from if_circuits.activations.interchange import apply_interchanges
from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.shared.labelled_tasks import LabelledTask, query_codes
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.interventions.interchange import Interchange
from if_circuits.io.kept import Kept
from if_circuits.models.workers import on_model
from if_circuits.progress import Report

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel


@dataclass(frozen=True, eq=False)
class Experiment:
    """One study's interchanges: what one half of the base queries fits is tried on the other half's pairs."""

    model: LoadedModel
    source: ActivationSource
    """Whose activations are the model's."""
    tasks: Mapping[str, tuple[pd.DataFrame, LabelledTask]]
    """Of each task its pairs, and its labelled responses."""
    halves: Int[np.ndarray, " queries"]
    settings: AnalysisSettings
    tokens: int
    """Of each text at most so many are read."""
    kept: Kept
    """What is finished, of an earlier attempt too."""
    engine: Engine = IN_PROCESS
    """Carries out what reads the model."""

    def pairs(self, task: str, half: int) -> pd.DataFrame:
        """The task's pairs of one half of the base queries."""
        pairs, _ = self.tasks[task]
        return pairs[self.halves[query_codes(self.source, pairs)] == half]

    def labelled(self, task: str, half: int) -> LabelledTask:
        """The task's labelled responses to one half of the base queries."""
        _, labelled = self.tasks[task]
        return labelled.where(self.halves[labelled.queries] == half)

    def moved(self, trials: Sequence[Trial], *, progress: Report | None = None) -> list[pd.DataFrame]:
        """How far each trial's interchanges move each of its pairs. What is kept is not read again."""

        def make(places: Sequence[int]) -> Iterable[pd.DataFrame]:
            chosen = [trials[place] for place in places]
            sizes = [len(trial.pairs) * len(trial.tried) for trial in chosen]
            return on_model(self.engine, self.model, tried_on, chosen, sizes=sizes, progress=progress)

        return self.kept.tables([trial.what for trial in trials], make)


@dataclass(frozen=True, eq=False)
class Trial:
    """Interchanges to be tried on pairs: a unit of work."""

    what: tuple[object, ...]
    """What its result is kept under."""
    pairs: pd.DataFrame
    tried: Sequence[Interchange]
    tokens: int
    """Of each text at most so many are read."""

    def __str__(self) -> str:
        return f"{len(self.tried)} interchanges on {len(self.pairs)} pairs of {self.pairs['task'].iloc[0]}"


def tried_on(model: LoadedModel, trial: Trial, progress: Report | None) -> pd.DataFrame:
    """How far each interchange moves each pair."""
    return apply_interchanges(model, trial.pairs, trial.tried, max_tokens=trial.tokens, progress=progress)
