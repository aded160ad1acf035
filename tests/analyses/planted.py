"""Small planted studies for the tests of the analyses."""

import numpy as np
import pandas as pd

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.validation.simulation.studies import PlantedTruth, SimulatedActivations, simulate

SETTINGS = AnalysisSettings(n_bootstrap=300, n_permutations=199)


def small_study(mechanism: str, **truth: object) -> SimulatedActivations:
    """A study of 30 base queries that an analysis goes through in a second or two."""
    size: dict[str, object] = {
        "n_base_queries": 30,
        "d_model": 16,
        "n_layers": 2,
        "positions": ("prompt_end", "last"),
    }
    return simulate(PlantedTruth(**{**size, **truth, "mechanism": mechanism}))  # type: ignore[arg-type]


def judge_again(source: SimulatedActivations, task: str, verdicts: np.ndarray) -> None:
    """Replace the verdicts of a task's constrained responses."""
    responses: pd.DataFrame = source.responses
    rows = (responses["task"] == task) & responses["constrained"]
    responses.loc[rows, "verdict"] = verdicts[: int(rows.sum())]
