"""Standardisation of one design matrix, once for each set of training rows, without a copy per set.

The matrix is centred and scaled once over all its rows. A training set's own mean and scale are then
numbers of order one, which the solver applies to weights instead of to data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from if_circuits.errors import InputError

COLUMNS = 128
"""Columns that are worked on at once, so that they stay in cache."""
RECHECK_BELOW = 1e-8
"""Share of the second moment under which E[z^2] - E[z]^2 has lost its digits and is summed again."""


@dataclass(frozen=True, eq=False)
class Design:
    """A design matrix in common units: Z = (X - mean) / scale, with mean and scale over all rows."""

    Z: Float[np.ndarray, "n d"]
    mean: Float[np.ndarray, " d"]
    scale: Float[np.ndarray, " d"]
    """One where a column is constant (that column of Z is zero), and everywhere when only centred."""

    @classmethod
    def of(
        cls,
        X: Float[np.ndarray, "n d"],
        *,
        standardise: bool,
        weights: Float[np.ndarray, " n"] | None = None,
        dtype: type[np.float32] | type[np.float64] = np.float64,
    ) -> Design:
        """X in common units, or only centred; raises InputError on values that are not finite.

        `weights`, all positive, count rows in the mean and the scale. Moments are float64 whatever the dtype.
        """
        n, d = X.shape
        shares = np.full(n, 1.0 / n) if weights is None else weights / weights.sum()
        Z, mean, scale = np.empty((n, d), dtype=dtype), np.empty(d), np.empty(d)
        for start in range(0, d, COLUMNS):
            part = slice(start, start + COLUMNS)
            z = np.array(X[:, part], dtype=np.float64, order="C")
            mean[part] = shares @ z
            z -= mean[part]
            scale[part] = deviation = np.sqrt(shares @ (z * z))
            if not np.isfinite(deviation).all():
                raise InputError(
                    "activations contain NaN or infinity in rows that are used; mask those rows out"
                )
            constant = deviation <= n * np.finfo(np.float64).eps * np.abs(mean[part])
            z[:, constant] = 0.0
            scale[part][constant | (not standardise)] = 1.0
            np.divide(z, scale[part], out=Z[:, part], casting="same_kind")
        return cls(Z=Z, mean=mean, scale=scale)


def weighted_moments(
    Z: Float[np.ndarray, "n d"], weights: Float[np.ndarray, "m n"]
) -> tuple[Float[np.ndarray, "m d"], Float[np.ndarray, "m d"]]:
    """Mean and population standard deviation of Z's columns under each row of weights.

    The standard deviation is 0 exactly where a column is constant on the weighted rows. Weights of a
    row must not sum to zero.
    """
    shares = weights / weights.sum(axis=1, keepdims=True)
    mean = shares @ Z
    second = shares @ (Z * Z)
    variance = second - mean * mean
    doubtful = variance <= RECHECK_BELOW * second
    for row in np.flatnonzero(doubtful.any(axis=1)):
        columns = np.flatnonzero(doubtful[row])
        used = shares[row] > 0
        values = Z[np.ix_(used, columns)]
        centred = values - mean[row, columns]
        exact = shares[row, used] @ (centred * centred)
        exact[np.ptp(values, axis=0) == 0] = 0.0
        variance[row, columns] = exact
    return mean, np.sqrt(variance)
