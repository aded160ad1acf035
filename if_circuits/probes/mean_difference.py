"""The mean-difference probe: the line between the class means (the 'mass mean' of Marks and Tegmark 2023)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from if_circuits.errors import InputError
from if_circuits.probes.linear import LinearProbe


def fit_mean_difference(X: Float[np.ndarray, "n d"], y: Bool[np.ndarray, " n"]) -> LinearProbe:
    """Probe along mean(positive) - mean(negative) of the unscaled activations.

    Scores are the log-odds of two Gaussians with equal variance along that line, so that scores from
    different folds are comparable. Raises InputError when a class is missing or the means coincide.
    """
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y)
    if y.all() or not y.any():
        raise InputError(
            f"a mean difference needs both classes, got {int(y.sum())} positive of {len(y)} rows"
        )
    above, below = X[y].mean(axis=0), X[~y].mean(axis=0)
    middle, direction = (above + below) / 2, above - below
    along = (X - middle) @ direction
    gap = float(direction @ direction)
    # The class means lie at +-gap / 2 along the direction.
    variance = float(np.mean((along - np.where(y, gap, -gap) / 2) ** 2))
    if gap <= (1e-12 * np.abs(middle).max(initial=0.0)) ** 2 * len(middle):
        raise InputError("the class means coincide, so there is no direction between them")
    share = y.mean()
    # Classes without spread along the line would have infinite log-odds.
    return LinearProbe(
        weight=direction * (gap / max(variance, 1e-12 * gap**2)),
        bias=float(np.log(share) - np.log1p(-share)),
        mean=middle,
        scale=np.ones(X.shape[1]),
        C=float("nan"),
        converged=True,
        n=len(y),
        n_over_d=len(y) / X.shape[1],
    )
