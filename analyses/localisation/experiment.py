"""What every measurement of localisation shares: the model, the pairs of each task, the halves to fit and try
on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Int

from if_circuits.activations.interchange import apply_interchanges
from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.shared.labelled_tasks import LabelledTask, query_codes
from if_circuits.interventions.interchange import Interchange
from if_circuits.io.kept import Kept
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

    def pairs(self, task: str, half: int) -> pd.DataFrame:
        """The task's pairs of one half of the base queries."""
        pairs, _ = self.tasks[task]
        return pairs[self.halves[query_codes(self.source, pairs)] == half]

    def labelled(self, task: str, half: int) -> LabelledTask:
        """The task's labelled responses to one half of the base queries."""
        _, labelled = self.tasks[task]
        return labelled.where(self.halves[labelled.queries] == half)

    def moved(
        self, pairs: pd.DataFrame, tried: Sequence[Interchange], *, progress: Report | None = None
    ) -> pd.DataFrame:
        """How far each interchange moves each pair."""
        return apply_interchanges(self.model, pairs, tried, max_tokens=self.tokens, progress=progress)
