"""Standardisation of one design matrix, once for each set of training rows, without a copy per set.

The matrix is centred and scaled once over all its rows. A training set's own mean and scale are then
numbers of order one, which the solver applies to weights instead of to data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from if_circuits.errors import InputError

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
    def of(cls, X: Float[np.ndarray, "n d"], *, standardise: bool) -> Design:
        """X in common units, or only centred, in float64; raises InputError on values that are not finite."""
        Z = np.array(X, dtype=np.float64, order="C")
        if not np.isfinite(Z).all():
            raise InputError("activations contain NaN or infinity in rows that are used; mask those rows out")
        mean = Z.mean(axis=0)
        Z -= mean
        scale = np.sqrt(np.einsum("nd,nd->d", Z, Z) / len(Z))
        rounding = len(Z) * np.finfo(np.float64).eps * np.abs(mean)
        constant = scale <= rounding
        Z[:, constant] = 0.0
        scale[constant | (not standardise)] = 1.0
        Z /= scale
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
