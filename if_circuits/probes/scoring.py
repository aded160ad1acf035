"""Area under the ROC curve and balanced accuracy, with ties and strata.

Three forms of one number, for three costs: `auroc`, of one column of scores; `column_aurocs`, of a thousand
columns that rank the same rows; `resampled_auroc`, of one column under a thousand weightings of its rows. A
fourth, `analyses.grouped_auroc`, resamples base queries of many columns together.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy.stats import rankdata


def auroc(
    labels: Bool[np.ndarray, " n"],
    scores: Float[np.ndarray, " n"],
    *,
    strata: Shaped[np.ndarray, " n"] | None = None,
) -> float:
    """The chance that a positive row scores above a negative row of its stratum, ties counting half.

    Rows with NaN scores are left out; NaN when no stratum holds both classes. Pass folds as strata for
    out-of-fold scores: a fold whose training rows hold more positives scores higher on the whole and
    holds fewer positives itself, so pairs across folds would push the AUROC of a null probe below 0.5.
    """
    return float(resampled_auroc(labels, scores, weights=np.ones((1, len(labels))), strata=strata)[0])


def column_aurocs(
    labels: Bool[np.ndarray, "n m"], scores: Float[np.ndarray, "n m"], *, strata: Shaped[np.ndarray, " n"]
) -> Float[np.ndarray, " m"]:
    """`auroc` of each column of scores against its own column of labels; NaN for columns with NaN scores."""
    won, pairs = np.zeros(scores.shape[1]), np.zeros(scores.shape[1])
    for stratum in np.unique(strata):
        rows = strata == stratum
        positives = labels[rows].sum(axis=0)
        ranks = np.asarray(rankdata(scores[rows], axis=0))
        won += (ranks * labels[rows]).sum(axis=0) - positives * (positives + 1) / 2
        pairs += positives * (rows.sum() - positives)
    return np.divide(won, pairs, out=np.full(scores.shape[1], np.nan), where=pairs > 0)


def resampled_auroc(
    labels: Bool[np.ndarray, " n"],
    scores: Float[np.ndarray, " n"],
    *,
    weights: Shaped[np.ndarray, "draws n"],
    strata: Shaped[np.ndarray, " n"] | None = None,
) -> Float[np.ndarray, " draws"]:
    """`auroc` of each row of weights, for instance how often a bootstrap drew each row; sorted only once."""
    seen = np.isfinite(scores)
    of_row = np.zeros(len(labels), dtype=int) if strata is None else np.unique(strata, return_inverse=True)[1]
    won, pairs = np.zeros(len(weights)), np.zeros(len(weights))
    for stratum in range(of_row.max(initial=-1) + 1):
        rows = np.flatnonzero(seen & (of_row == stratum))
        if len(rows) == 0:
            continue
        rows = rows[np.argsort(scores[rows], kind="stable")]
        starts = np.flatnonzero(np.diff(scores[rows], prepend=-np.inf) > 0)
        drawn = np.asarray(weights[:, rows], dtype=np.float64)
        positive = np.add.reduceat(drawn * labels[rows], starts, axis=1)
        negative = np.add.reduceat(drawn * ~labels[rows], starts, axis=1)
        below = np.cumsum(negative, axis=1) - 0.5 * negative
        won += (positive * below).sum(axis=1)
        pairs += positive.sum(axis=1) * negative.sum(axis=1)
    return np.divide(won, pairs, out=np.full(len(weights), np.nan), where=pairs > 0)


def balanced_accuracy(labels: Bool[np.ndarray, " n"], predicted: Bool[np.ndarray, " n"]) -> float:
    """Mean of the two classes' recalls; NaN when a class is missing."""
    if labels.all() or not labels.any():
        return float("nan")
    return float(0.5 * (predicted[labels].mean() + (~predicted[~labels]).mean()))
