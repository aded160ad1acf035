"""The direction of a logistic probe: what the probe reads, to remove it or to steer along it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped

from if_circuits.erasure.fits import fits
from if_circuits.erasure.labelled import checked
from if_circuits.interventions.fitted import FittedSubspace
from if_circuits.probes.methods import logistic


@dataclass(frozen=True)
class LogisticDirection:
    """The normal of the boundary of an L2 logistic probe, whose penalty cross-validation chooses.

    Example:
        >>> import numpy as np
        >>> import if_circuits as ifc
        >>> rng = np.random.default_rng(0)
        >>> y = np.arange(200) % 2 == 0
        >>> X = rng.standard_normal((200, 8)) + 2 * np.outer(y, np.arange(8) == 3)
        >>> ifc.LogisticDirection.fit(X, y, groups=np.arange(200) // 4)
        logistic direction: rank 1 of 8, fitted to 200 rows of 50 groups
    """

    name: str = "logistic direction"

    @fits
    def fit(
        self,
        X: Float[np.ndarray, "n d"],
        y: Bool[np.ndarray, " n"],
        *,
        groups: Shaped[np.ndarray, " n"],
        seed: int,
    ) -> FittedSubspace:
        """The line along the probe's normal, centred on the mean of X."""
        X, y = checked(X, y, method=self.name)
        direction = logistic(X, y, groups=groups, seed=seed).direction
        return FittedSubspace.orthonormalise(direction[None], mean=X.mean(axis=0), name=self.name)
