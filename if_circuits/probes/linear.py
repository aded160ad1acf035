"""A fitted linear probe: the value that every probe method gives back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from if_circuits.errors import InputError
from if_circuits.probes.logistic import LogisticFits, fit_logistic
from if_circuits.threads import one_thread


@dataclass(frozen=True, eq=False)
class LinearProbe:
    """A linear decision function on standardised activations, and how it came about."""

    weight: Float[np.ndarray, " d"]
    """In standardised units."""
    bias: float
    mean: Float[np.ndarray, " d"]
    scale: Float[np.ndarray, " d"]
    """Of the training rows; 1 where a feature is constant or left unscaled."""
    C: float
    """Inverse L2 penalty as in scikit-learn; NaN for probes without one."""
    converged: bool
    n: int
    """Training rows."""
    n_over_d: float

    @classmethod
    def from_fit(cls, fits: LogisticFits, j: int) -> LinearProbe:
        """Right-hand side j of a logistic fit; raises InputError when it could not be fitted."""
        if np.isnan(fits.bias[j]):
            raise InputError(f"there is no probe to take: {fits.reasons[j]}")
        n = int(fits.n[j])
        return cls(
            weight=fits.weight[j],
            bias=float(fits.bias[j]),
            mean=fits.mean[j],
            scale=fits.scale[j],
            C=float(fits.C[j]),
            converged=bool(fits.converged[j]),
            n=n,
            n_over_d=n / fits.weight.shape[1],
        )

    def scores(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Decision values, in logits for logistic probes; NaN for rows with NaN."""
        return ((np.asarray(X, dtype=np.float64) - self.mean) / self.scale) @ self.weight + self.bias

    @property
    def direction(self) -> Float[np.ndarray, " d"]:
        """Unit normal of the decision boundary in the unscaled activation space; zero if there is none."""
        normal = self.weight / self.scale
        length = np.linalg.norm(normal)
        return normal / length if length > 0 else normal


@one_thread
def fit_linear_probe(
    X: Float[np.ndarray, "n d"], y: Bool[np.ndarray, " n"], *, C: float, standardise: bool = True
) -> LinearProbe:
    """L2 logistic regression as in `fit_logistic`; raises InputError when a class is missing."""
    everything = np.ones((len(y), 1), dtype=bool)
    return LinearProbe.from_fit(
        fit_logistic(X, y[:, None], weights=everything, C=[C], standardise=standardise), 0
    )
