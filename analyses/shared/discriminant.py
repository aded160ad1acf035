"""Fisher's linear discriminant with the removal of subspaces built in.

A probe that is fitted again after a removal is what shows whether information is gone or merely out of the
first probe's sight. There are thousands of removals to refit after, with the controls, so the probe is one
whose refit has a closed form: the discriminant maximises w'd - w'Sw/2 (d the difference of the class means,
S the shrunk covariance within classes), and on data without the span of V it solves the same problem under
V w = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import cho_factor, cho_solve
from sklearn.covariance import ledoit_wolf


@dataclass(frozen=True, eq=False)
class Discriminant:
    """A fitted discriminant and what it takes to fit it again after a removal."""

    weight: Float[np.ndarray, " d"]
    precision: Float[np.ndarray, "d d"]
    """Inverse of the shrunk within-class covariance."""

    def refitted(self, bases: Float[np.ndarray, "removals k d"]) -> Float[np.ndarray, "removals d"]:
        """Weights fitted without the rows of each basis: w - S^-1 V' (V S^-1 V')^-1 V w."""
        spread = bases @ self.precision
        multipliers = np.linalg.solve(spread @ bases.transpose(0, 2, 1), (bases @ self.weight)[..., None])
        return self._without_dust(self.weight - (multipliers.transpose(0, 2, 1) @ spread)[:, 0])

    def blinded(self, bases: Float[np.ndarray, "removals k d"]) -> Float[np.ndarray, "removals d"]:
        """Weights that score intact activations as this probe, unchanged, scores them after the removal: w
        - V'V w.
        """
        coordinates = bases @ self.weight
        return self._without_dust(self.weight - (coordinates[:, None] @ bases)[:, 0])

    def _without_dust(self, weights: Float[np.ndarray, "removals d"]) -> Float[np.ndarray, "removals d"]:
        """Weights that a removal took to zero are zero and not rounding errors, which would rank rows all
        the same.
        """
        left = np.linalg.norm(weights, axis=1, keepdims=True) > 1e-9 * np.linalg.norm(self.weight)
        return np.where(left, weights, 0.0)


def fit_discriminant(X: Float[np.ndarray, "n d"], y: Bool[np.ndarray, " n"]) -> Discriminant:
    """Fit on activations and labels; needs a row of each class.

    The covariance is shrunk towards its diagonal by the Ledoit-Wolf amount, so n < d is no obstacle and
    coordinates of very different size, as in a residual stream, are weighed alike. Sources: Fisher 1936;
    Ledoit and Wolf 2004.
    """
    X = X.astype(np.float64)
    positive, negative = X[y].mean(axis=0), X[~y].mean(axis=0)
    within = X - np.where(y[:, None], positive, negative)
    scale, covariance = _within_class_covariance(within, size=float(np.abs(X).max()))
    precision = cho_solve(cho_factor(covariance), np.eye(len(covariance))) / np.outer(scale, scale)
    return Discriminant(precision @ (positive - negative), precision)


def _within_class_covariance(
    residuals: Float[np.ndarray, "n d"], *, size: float
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "d d"]]:
    """Scale of each coordinate, and the shrunk covariance of the residuals in units of it; positive definite.

    `size` is that of the activations: a coordinate that varies by its rounding error alone, as at `embed`
    where all responses end alike, has infinite scale and so no say.
    """
    scale = residuals.std(axis=0)
    scale[scale <= 1e-7 * size] = np.inf
    covariance = np.asarray(ledoit_wolf(residuals / scale, assume_centered=True)[0])
    return scale, covariance + 1e-6 * np.eye(len(covariance))
