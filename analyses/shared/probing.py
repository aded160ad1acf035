"""What the probing analyses share: the rows and folds of a position, out-of-fold probes, and rows of
result tables.

The labels are the verdicts of the source's responses; `both_labels` runs an analysis on natural and on
counterfactual ones. Undecided responses train and test nothing; they are counted. A task that cannot be
probed stays in the tables, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from if_circuits.activations.source import NOT_FINITE, ActivationSource, FeatureReader
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.shared.labelled_tasks import LabelledTask, labelled_tasks, text_codes
from if_circuits.probes.across_folds import AcrossFolds, fit_across_folds
from if_circuits.probes.folds import grouped_folds
from if_circuits.tasks.labels import is_undecided

STUDY_CS = (1e-3, 1e-2, 1e-1)
"""Inverse penalties that a study's probes choose from. Wider ranges cost time and gained nothing on planted
data."""
_FEWEST_FOLDS = 3
"""One tests a probe, and the others choose its penalty by testing each other."""


@dataclass(frozen=True, eq=False)
class ProbingRows:
    """The rows that can be probed at one position, all tasks stacked, with folds that all tasks share."""

    position: str
    tasks: tuple[LabelledTask, ...]
    """Tasks with enough of both verdicts, in the order in which their rows are stacked."""
    families: Mapping[str, str]
    """Family of every task, of those that are not probed too."""
    left_out: Mapping[str, str]
    """Why the other tasks are not probed, by name."""
    not_finite: int
    """Responses that the model overflowed on; they are among the undecided."""
    undecided: Mapping[str, int]
    """Constrained responses without a verdict, by task."""
    fold_of_query: Int[np.ndarray, " queries"]
    n_folds: int
    rows: Int[np.ndarray, " n"]
    """Row numbers in the source."""
    labels: Bool[np.ndarray, " n"]
    queries: Int[np.ndarray, " n"]
    texts: Int[np.ndarray, " n"]
    """Number of each row's text; both rows of a counterfactual pair have the same."""
    fold_of_row: Int[np.ndarray, " n"]
    of_task: tuple[slice, ...]
    """Where each task's rows lie in the stack."""

    @property
    def paired(self) -> bool:
        """Whether the rows are counterfactual pairs."""
        return len(np.unique(self.texts)) < len(self.texts)

    @property
    def n_queries(self) -> int:
        """Base queries of the study: the units that are resampled."""
        return len(self.fold_of_query)

    def masks(self) -> Bool[np.ndarray, "n tasks"]:
        """Which rows belong to each task."""
        return self.task_of_row[:, None] == np.arange(len(self.tasks))

    def features(self, source: FeatureReader, layer: int) -> Float[np.ndarray, "n d"]:
        """Activations of the stack, each task's mean subtracted.

        Without the means, a probe for all tasks would spend itself on telling tasks apart, a straw man.
        The shift is the same for all rows of a task and looks at no label: no AUROC within a task
        depends on it.
        """
        X = source.features(layer, self.position)[self.rows].astype(np.float64)
        for own in self.of_task:
            X[own] -= X[own].mean(axis=0)
        return X

    @property
    def task_of_row(self) -> Int[np.ndarray, " n"]:
        """Number of each row's task in `tasks`."""
        return np.repeat(np.arange(len(self.tasks)), [len(task.rows) for task in self.tasks])

    def spread(self, task: int, values: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " n"]:
        """Values of one task's rows in the order of the stack, NaN elsewhere."""
        stacked = np.full(len(self.rows), np.nan)
        stacked[self.of_task[task]] = values
        return stacked

    def notes(self) -> tuple[str, ...]:
        """What a verdict on these rows must mention."""
        notes = [f"{task} left out at {self.position}: {why}" for task, why in self.left_out.items()]
        if total := sum(self.undecided.values()):
            notes.append(f"{total} undecided responses left out")
        if self.not_finite:
            notes.append(f"{self.not_finite} of them, since their {NOT_FINITE}")
        return tuple(notes)


def probing_rows(source: ActivationSource, settings: AnalysisSettings, position: str) -> ProbingRows:
    """The constrained, decided responses that have `position`.

    Raises InputError when the study has fewer base queries than folds.
    """
    responses = source.responses
    folds = study_folds(source.base_queries, settings)
    everything = labelled_tasks(source, position)
    shortages = {task.name: shortage_in_folds(task, folds, n_folds=settings.n_folds) for task in everything}
    tasks = tuple(task for task in everything if not shortages[task.name])
    constrained = responses["constrained"].to_numpy(dtype=bool)
    undecided = responses["task"][constrained & is_undecided(responses)].to_numpy()
    queries = np.concatenate([np.empty(0, dtype=np.int64), *(task.queries for task in tasks)])
    rows = np.concatenate([np.empty(0, dtype=np.int64), *(task.rows for task in tasks)])
    ends = np.cumsum([0, *(len(task.rows) for task in tasks)])
    return ProbingRows(
        position=position,
        tasks=tasks,
        families={task.name: task.family for task in everything},
        left_out={name: why for name, why in shortages.items() if why},
        not_finite=int((responses["reason"] == NOT_FINITE).sum()) if "reason" in responses else 0,
        undecided={task.name: int((undecided == task.name).sum()) for task in everything},
        fold_of_query=folds,
        n_folds=settings.n_folds,
        rows=rows,
        labels=np.concatenate([np.empty(0, dtype=bool), *(task.satisfied for task in tasks)]),
        queries=queries,
        texts=text_codes(source)[rows],
        fold_of_row=folds[queries],
        of_task=tuple(slice(start, end) for start, end in zip(ends[:-1], ends[1:], strict=True)),
    )


def study_folds(base_queries: Sequence[str], settings: AnalysisSettings) -> Int[np.ndarray, " queries"]:
    """Fold of each base query, the same for every probe of a study."""
    return grouped_folds(base_queries, n_folds=settings.n_folds, seed=settings.seed)


def fit_specialists(X: Float[np.ndarray, "n d"], rows: ProbingRows) -> AcrossFolds:
    """One probe per task, in the order of `rows.tasks`, trained on the task's rows; it scores those of
    all tasks."""
    return fit_across_folds(X, rows.labels, fold_of_row=rows.fold_of_row, train=rows.masks(), Cs=STUDY_CS)


def report_folds(
    by_layer: Sequence[Float[np.ndarray, " n *p"]], index: Int[np.ndarray, " folds"], rows: ProbingRows
) -> Float[np.ndarray, " n *p"]:
    """Each row's values at the layer of its fold; `index` counts into `by_layer`."""
    return np.stack(by_layer)[index[rows.fold_of_row], np.arange(len(rows.rows))]


def left_out_rows(rows: Iterable[ProbingRows]) -> pd.DataFrame:
    """The tasks that cannot be probed, position by position, as rows of a result table."""
    return pd.DataFrame(
        [
            {"task": task, "family": here.families[task], "position": here.position, "reason": why}
            for here in rows
            for task, why in here.left_out.items()
        ],
        columns=["task", "family", "position", "reason"],
    )


def shortage_in_folds(task: LabelledTask, folds: Int[np.ndarray, " queries"], *, n_folds: int) -> str:
    """Why a task cannot be probed on these folds of the base queries; empty if it can."""
    if why := task.shortage():
        return why
    verdicts = (task.satisfied, ~task.satisfied)
    counts = np.stack([np.bincount(folds[task.queries[rows]], minlength=n_folds) for rows in verdicts])
    if (counts == counts.sum(axis=1, keepdims=True)).any():
        return "all responses of one verdict fall into one fold"
    if not counts.min(axis=0).any():
        return "no fold holds both verdicts"
    if (filled := int(counts.any(axis=0).sum())) < _FEWEST_FOLDS:
        return f"its responses fall into {filled} folds; {_FEWEST_FOLDS} are needed"
    return ""
