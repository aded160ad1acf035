"""Control tasks (Hewitt and Liang 2019): could the probe have learned anything at all from these activations?

A control task gives every base query a random label. Nothing but recognising the base query predicts
it, so its AUROC measures how much the probe memorises, and selectivity is the real task's AUROC minus
the control's. Memorising shows only where base queries recur: real and control tasks are both scored
on folds that deal every base query's rows over all folds, unlike every other number in this package.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped

from if_circuits.probes.across_folds import CS, fit_across_folds
from if_circuits.probes.folds import folds_within_groups
from if_circuits.statistics.auroc import auroc


@dataclass(frozen=True, eq=False)
class Selectivity:
    """AUROC of a task and of its control tasks, on the same rows and folds."""

    real: float
    control: Float[np.ndarray, " controls"]
    reasons: tuple[str, ...]
    """What could not be fitted or did not converge."""

    @property
    def selectivity(self) -> float:
        """Real minus the mean of the controls that could be scored."""
        return self.real - float(np.nanmean(self.control))


def control_labels(
    y: Bool[np.ndarray, " n"], groups: Shaped[np.ndarray, " n"] | Sequence[str], *, seed: int
) -> Bool[np.ndarray, " n"]:
    """One random label per group, positive in as nearly as many rows as y as whole groups allow."""
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    reached = np.concatenate([[0], np.cumsum(np.bincount(index)[order])])
    positive = np.zeros(len(names), dtype=bool)
    positive[order[: np.argmin(np.abs(reached - int(np.sum(y))))]] = True
    return positive[index]


def control_tasks(
    y: Bool[np.ndarray, " n"],
    groups: Shaped[np.ndarray, " n"] | Sequence[str],
    *,
    n_controls: int,
    seed: int,
) -> Bool[np.ndarray, "n tasks"]:
    """The labels of the real task, and beside them those of its control tasks."""
    return np.stack([y, *(control_labels(y, groups, seed=seed + k) for k in range(n_controls))], axis=1)


def selectivity(
    X: Float[np.ndarray, "n d"],
    y: Bool[np.ndarray, " n"],
    groups: Shaped[np.ndarray, " n"] | Sequence[str],
    *,
    n_folds: int,
    seed: int,
    n_controls: int = 5,
    Cs: Sequence[float] = CS,
    keep: Bool[np.ndarray, " n"] | None = None,
) -> Selectivity:
    """Fit the task and `n_controls` control tasks at once; rows with NaN or without `keep` are left out."""
    used = np.asarray(np.isfinite(X).all(axis=1))
    rows = np.flatnonzero(used if keep is None else used & keep)
    X, y, groups = X[rows], y[rows], np.asarray(groups)[rows]
    labels = control_tasks(y, groups, n_controls=n_controls, seed=seed)
    folds = folds_within_groups(groups, n_folds=n_folds, seed=seed)
    fitted = fit_across_folds(X, labels, fold_of_row=folds, train=np.ones_like(labels), Cs=Cs)
    scores = [auroc(labels[:, k], fitted.scores[:, k], strata=folds) for k in range(labels.shape[1])]
    reasons = tuple(reason for k in range(len(scores)) for reason in fitted.reasons(k))
    return Selectivity(real=scores[0], control=np.array(scores[1:]), reasons=reasons)
