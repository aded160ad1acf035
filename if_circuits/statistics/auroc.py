"""Area under the ROC curve, exact under ties, for one weighting of the rows or for a thousand at once.

A bootstrap resample is a vector of row weights (how often each row was drawn), so the scores are sorted
once and every resample costs one pass over the rows.
"""

import numpy as np
from jaxtyping import Bool, Float, Int


def auroc(scores: Float[np.ndarray, " n"], labels: Bool[np.ndarray, " n"] | Int[np.ndarray, " n"]) -> float:
    """Probability that a positive row scores above a negative one, ties counting one half.

    `labels` are booleans or 0/1. NaN when one class is absent. Raises ValueError on NaN scores.
    """
    return float(weighted_auroc(scores, labels, np.ones((1, len(scores))))[0])


def weighted_auroc(
    scores: Float[np.ndarray, " n"],
    labels: Bool[np.ndarray, " n"] | Int[np.ndarray, " n"],
    weights: Float[np.ndarray, "resamples n"],
) -> Float[np.ndarray, " resamples"]:
    """AUROC under each row of `weights`: the weighted Mann-Whitney statistic, ties counting one half.

    `weights` are non-negative, one row per resample. A resample in which a class has no weight gives NaN.
    Raises ValueError on NaN scores or when the lengths differ. (Mann and Whitney 1947; Hanley and McNeil
    1982.)
    """
    positive = np.asarray(labels) == 1
    if not len(scores) == len(positive) == weights.shape[1]:
        raise ValueError(
            f"scores, labels and weights must cover the same rows, got {len(scores)}, {len(positive)} and "
            f"{weights.shape[1]}"
        )
    if np.isnan(scores).any():
        raise ValueError(
            f"{int(np.isnan(scores).sum())} of {len(scores)} scores are NaN: drop those rows first"
        )
    negatives = np.flatnonzero(~positive)
    negatives = negatives[np.argsort(scores[negatives], kind="stable")]
    positives = np.flatnonzero(positive)

    below = np.zeros((len(weights), len(negatives) + 1))
    np.cumsum(weights[:, negatives], axis=1, out=below[:, 1:])
    first_tied = np.searchsorted(scores[negatives], scores[positives], side="left")
    past_tied = np.searchsorted(scores[negatives], scores[positives], side="right")
    # Half of the weight strictly below plus half of the weight at most equal: ties count one half.
    beaten = below[:, first_tied]
    if (first_tied != past_tied).any():
        beaten = (beaten + below[:, past_tied]) / 2

    positive_weights = weights[:, positives]
    wins = np.einsum("rp,rp->r", positive_weights, beaten)
    pairs = positive_weights.sum(axis=1) * below[:, -1]
    return np.divide(wins, pairs, out=np.full(len(weights), np.nan), where=pairs > 0)
