"""Beside the logistic specialists: other ways to fit them, and tasks that only memory could solve.

- mean_difference, lda: the same rows and folds, without a penalty to choose (`probes.methods`);
- control_task: labels that are random for each base query (Hewitt and Liang 2019, `probes.control`), which
  only a probe that knows the base query again can read. Folds therefore deal every base query over all folds;
- recurring: the real labels on those same folds. Selectivity is recurring minus control_task;
- group permutation: the p-value of a ridge probe against labels that base queries exchanged (`decodability`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.shared.cells import Cell
from if_circuits.analyses.shared.decodability import layer_p_values
from if_circuits.analyses.shared.method_scores import method_score
from if_circuits.analyses.shared.probing import STUDY_CS, ProbingRows
from if_circuits.analyses.shared.score_table import Score, ScoreTable, score_of, score_table
from if_circuits.probes.across_folds import fit_across_folds
from if_circuits.probes.control import control_tasks
from if_circuits.probes.folds import folds_within_groups

METHODS = ("mean_difference", "lda")
"""Registered probe methods that stand beside the logistic one."""
N_CONTROLS = 5
"""Control tasks of each task."""


def method_scores(
    X: Float[np.ndarray, "n d"], rows: ProbingRows, settings: AnalysisSettings, **columns: object
) -> list[Score]:
    """Specialists of every task by every other method, on the folds of the logistic ones."""
    return [
        method_score(X, rows, task, settings, method=name, **columns)
        for task in range(len(rows.tasks))
        for name in METHODS
    ]


@dataclass(frozen=True, eq=False)
class TaskControls:
    """One task at one layer and position, for its control tasks: a unit of work."""

    cell: Cell
    task: int
    settings: AnalysisSettings

    def __str__(self) -> str:
        return f"the control tasks of {self.cell.rows.tasks[self.task].name}, {self.cell}"


@dataclass(frozen=True, eq=False)
class FoundControls:
    """What became of one task."""

    scores: list[Score]
    """The task and its control tasks, on folds in which base queries recur; `control` numbers the tasks."""
    p: float
    """Of its group permutations."""


def controls_at(cell: Cell, settings: AnalysisSettings) -> list[TaskControls]:
    """Every task of a cell."""
    return [TaskControls(cell, task, settings) for task in range(len(cell.rows.tasks))]


def controls_of(unit: TaskControls) -> FoundControls:
    """The scores of a task and its control tasks, and the p-value of its group permutations.

    A task with one response to each base query has neither: nothing recurs that could be remembered.
    """
    rows, task, settings = unit.cell.rows, unit.task, unit.settings
    own = rows.of_task[task]
    queries = rows.queries[own]
    texts = np.unique(rows.texts[own], return_index=True)[1]
    if len(np.unique(queries[texts])) == len(texts):
        return FoundControls([], np.nan)
    X = unit.cell.features()[own]
    labels = control_tasks(rows.labels[own], queries, n_controls=N_CONTROLS, seed=settings.seed)
    folds = folds_within_groups(queries, n_folds=rows.n_folds, seed=settings.seed, texts=rows.texts[own])
    fits = fit_across_folds(
        X, labels, fold_of_row=folds, train=np.ones(labels.shape, dtype=bool), Cs=STUDY_CS
    )
    found: list[Score] = []
    for column in range(labels.shape[1]):
        n_train = float(fits.n[column].mean())
        found.append(
            score_of(
                rows,
                task,
                fits.scores[:, column],
                labels[:, column],
                folds,
                threshold=fits.prior[:, column],
                layer=unit.cell.layer,
                probe="control_task" if column else "recurring",
                control=float(column) if column else np.nan,
                n_train=n_train,
                d=X.shape[1],
                n_over_d=n_train / X.shape[1],
                C=float(np.median(fits.C[column])),
                converged=bool(fits.converged[column].all()),
            )
        )
    p = layer_p_values(
        [X],
        rows.labels[own],
        queries,
        rows.fold_of_row[own],
        paired=rows.paired,
        n_permutations=settings.n_permutations,
        seed=settings.seed,
    )
    return FoundControls(found, float(p[0]))


def control_table(found: Sequence[FoundControls], settings: AnalysisSettings) -> ScoreTable | None:
    """The scores of all tasks; None where none has control tasks."""
    scores = [each for one in found for each in one.scores]
    return score_table(scores, settings) if scores else None


def selectivity_table(table: ScoreTable | None, p: Sequence[float], rows: ProbingRows) -> pd.DataFrame:
    """Selectivity of each task with its interval, and the p-value of its group permutations.

    `table` is that of `control_table` at one layer and position, and `p` are the p-values of the tasks of
    `rows`. A task without control tasks has no row.
    """
    records: list[dict[str, object]] = []
    if table is None:
        return pd.DataFrame(columns=["task", "position", "selectivity"])
    probe, names = table.frame["probe"], table.frame["task"]
    d = int(table.frame["d"].iloc[0])
    for labelled, p_of_task in zip(rows.tasks, p, strict=True):
        here = names == labelled.name
        if not here.any():
            continue
        real, controls = (
            np.flatnonzero(here & (probe == kind)).tolist() for kind in ("recurring", "control_task")
        )
        estimate, draws = table.estimates, table.draws
        # A resample may leave a control task one class; the others then stand for it.
        found = table.interval_from(
            float(estimate[real].mean() - estimate[controls].mean()),
            draws[:, real].mean(axis=1) - _mean_of_known(draws[:, controls]),
        )
        records.append(
            {
                "task": labelled.name,
                "position": rows.position,
                "recurring": float(estimate[real].mean()),
                "control_task": float(estimate[controls].mean()),
                "selectivity": found.estimate,
                "low": found.low,
                "high": found.high,
                "p_permutation": p_of_task,
                "n": len(labelled.rows),
                "n_over_d": len(labelled.rows) * (1 - 1 / rows.n_folds) / d,
                "n_base_queries": found.n_groups,
            }
        )
    return pd.DataFrame(records)


def _mean_of_known(draws: Float[np.ndarray, "resamples controls"]) -> Float[np.ndarray, " resamples"]:
    known = ~np.isnan(draws)
    total, count = np.where(known, draws, 0.0).sum(axis=1), known.sum(axis=1)
    return np.divide(total, count, out=np.full(len(draws), np.nan), where=count > 0)
