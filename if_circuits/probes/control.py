"""Control tasks (Hewitt and Liang 2019): could the probe have learned anything at all from these activations?

A control task gives every base query a random label. Nothing but recognising the base query predicts
it, so its AUROC measures how much the probe memorises, and selectivity is the real task's AUROC minus
the control's. Memorising shows only where base queries recur: real and control tasks are both scored
on folds that deal every base query's rows over all folds (`folds.folds_within_groups`), unlike every
other number in this package.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Shaped


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
