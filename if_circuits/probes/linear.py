"""A fitted linear probe: the value that every probe method gives back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from if_circuits.errors import InputError
from if_circuits.probes.logistic import fit_logistic


@dataclass(frozen=True, eq=False)
class LinearProbe:
    """A linear decision function on standardised activations, and how it came about."""

    weight: Float[np.ndarray, "d"]
    """In standardised units."""
    bias: float
    mean: Float[np.ndarray, "d"]
    scale: Float[np.ndarray, "d"]
    """Of the training rows; 1 where a feature is constant or left unscaled."""
    C: float
    """Inverse L2 penalty as in scikit-learn; NaN for probes without one."""
    converged: bool
    n: int
    """Training rows."""
    n_over_d: float

    def scores(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
        """Decision values, in logits for logistic probes; NaN for rows with NaN."""
        return ((np.asarray(X, dtype=np.float64) - self.mean) / self.scale) @ self.weight + self.bias

    @property
    def direction(self) -> Float[np.ndarray, "d"]:
        """Unit normal of the decision boundary in the unscaled activation space; zero if there is none."""
        normal = self.weight / self.scale
        length = np.linalg.norm(normal)
        return normal / length if length > 0 else normal


def fit_linear_probe(
    X: Float[np.ndarray, "n d"], y: Bool[np.ndarray, "n"], *, C: float, tolerance: float = 1e-4
) -> LinearProbe:
    """L2 logistic regression on standardised features; raises InputError when a class is missing."""
    everything = np.ones((len(y), 1), dtype=bool)
    fit = fit_logistic(X, y[:, None], weights=everything, C=[C], tolerance=tolerance)
    if np.isnan(fit.bias[0]):
        raise InputError(f"cannot fit a probe to {len(y)} rows: {fit.reasons[0]}")
    return LinearProbe(
        weight=fit.weight[0],
        bias=float(fit.bias[0]),
        mean=fit.mean[0],
        scale=fit.scale[0],
        C=C,
        converged=bool(fit.converged[0]),
        n=int(fit.n[0]),
        n_over_d=int(fit.n[0]) / X.shape[1],
    )
