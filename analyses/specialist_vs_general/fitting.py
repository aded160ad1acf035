"""Every kind of probe at one layer and position: who trains on what, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.shared.cells import Cell
from if_circuits.analyses.shared.probing import STUDY_CS, ProbingRows
from if_circuits.analyses.shared.score_table import Score, score_fitted
from if_circuits.analyses.specialist_vs_general.controls import method_scores
from if_circuits.probes.across_folds import AcrossFolds, fit_across_folds
from if_circuits.probes.evaluate import subsample

PROBES = ("specialist", "general", "general_all", "leave_one_out")
LARGE_C = 0.01
"""Penalty of probes trained on all tasks: with so many rows it hardly matters, and choosing it is costly."""


def training_sets(
    rows: ProbingRows, settings: AnalysisSettings
) -> tuple[Bool[np.ndarray, "n equal"], Bool[np.ndarray, "n all"]]:
    """Who trains on what: specialists, then generals of equal totals; all rows, then all but each task's."""
    own = rows.masks()
    general = np.zeros_like(own)
    for task in range(len(rows.tasks)):
        for fold in range(rows.n_folds):
            # Equal totals in every fold, so that they are equal whichever folds are held out.
            in_fold = rows.fold_of_row == fold
            size = int((in_fold & own[:, task]).sum())
            seed = settings.seed * 10_000 + task * 100 + fold
            general[:, task] |= subsample(in_fold, size=size, strata=rows.task_of_row, seed=seed)
    return np.hstack([own, general]), np.hstack([np.ones((len(own), 1), dtype=bool), ~own])


@dataclass(frozen=True, eq=False)
class Probes:
    """Every kind of probe at one layer and position: a unit of work."""

    cell: Cell
    equal: Bool[np.ndarray, "n equal"]
    everyone: Bool[np.ndarray, "n all"]
    settings: AnalysisSettings
    more: bool
    """Whether other methods are fitted beside."""

    def __str__(self) -> str:
        return str(self.cell)


@dataclass(frozen=True, eq=False)
class AtCell:
    """What is kept of the probes of one layer and position."""

    position: str
    scores: list[Score]
    own_values: Mapping[str, Float[np.ndarray, " n"]]
    """For each kind of probe, the out-of-fold value of every row by the probe of its own task."""
    sizes: Mapping[str, list[dict[str, float]]]
    """For each kind of probe, of each task: training rows, features, and their ratio."""


def fitted_probes(unit: Probes) -> AtCell:
    """Fit every kind of probe, and score every task with each."""
    rows, layer, X = unit.cell.rows, unit.cell.layer, unit.cell.features()
    found = _Fitted(
        fit_across_folds(X, rows.labels, fold_of_row=rows.fold_of_row, train=unit.equal, Cs=STUDY_CS),
        fit_across_folds(X, rows.labels, fold_of_row=rows.fold_of_row, train=unit.everyone, Cs=[LARGE_C]),
    )
    scores = found.scores(rows, layer)
    if unit.more:
        scores += method_scores(X, rows, unit.settings, layer=layer)
    tasks = range(len(rows.tasks))
    sizes = {probe: [found.sizes(probe, task, len(tasks)) for task in tasks] for probe in PROBES}
    return AtCell(rows.position, scores, found.own_values(rows), sizes)


class _Fitted:
    """All probes of one layer and position; which column holds which is known here only."""

    def __init__(self, equal: AcrossFolds, everyone: AcrossFolds) -> None:
        self._equal, self._everyone = equal, everyone

    def _columns(self, probe: str, n_tasks: int) -> tuple[AcrossFolds, Int[np.ndarray, " tasks"]]:
        tasks = np.arange(n_tasks)
        match probe:
            case "specialist":
                return self._equal, tasks
            case "general":
                return self._equal, tasks + n_tasks
            case "general_all":
                return self._everyone, np.zeros(n_tasks, dtype=np.int64)
            case _:
                return self._everyone, tasks + 1

    def scores(self, rows: ProbingRows, layer: int) -> list[Score]:
        """Every probe on every task."""
        found = [(probe, *self._columns(probe, len(rows.tasks))) for probe in PROBES]
        return [
            score_fitted(rows, task, fits, column=int(columns[task]), layer=layer, probe=probe)
            for task in range(len(rows.tasks))
            for probe, fits, columns in found
        ]

    def sizes(self, probe: str, task: int, n_tasks: int) -> dict[str, float]:
        """Training rows of a task's probe, features, and their ratio."""
        fits, columns = self._columns(probe, n_tasks)
        n_train, d = float(fits.n[columns[task]].mean()), fits.fits.weight.shape[1]
        return {"n_train": n_train, "d": d, "n_over_d": n_train / d}

    def own_values(self, rows: ProbingRows) -> dict[str, Float[np.ndarray, " n"]]:
        """For each kind of probe, the out-of-fold value of every row by the probe of its own task."""
        found = {probe: self._columns(probe, len(rows.tasks)) for probe in PROBES}
        each = np.arange(len(rows.rows))
        return {
            probe: fits.scores[each, columns[rows.task_of_row]] for probe, (fits, columns) in found.items()
        }
