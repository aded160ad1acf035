"""LEACE: the least change of the activations after which no linear probe can find the label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped

from if_circuits.erasure.base import erasure_method
from if_circuits.erasure.fits import fits
from if_circuits.erasure.labelled import checked
from if_circuits.interventions.fitted import FittedErasure
from if_circuits.threads import one_thread


@erasure_method("leace")
@dataclass(frozen=True)
class Leace:
    """Least-squares erasure of a binary label (Belrose et al. 2023, arXiv 2306.03819, theorem 4.3).

    Example:
        >>> import numpy as np
        >>> import if_circuits as ifc
        >>> y = np.arange(200) % 2 == 0
        >>> X = np.random.default_rng(0).standard_normal((200, 8)) + 2 * np.outer(y, np.arange(8) == 3)
        >>> left = ifc.Leace.fit(X, y, groups=np.arange(200)).remove(X)
        >>> bool(np.abs(left[y].mean(axis=0) - left[~y].mean(axis=0)).max() < 1e-9)
        True
    """

    shrinkage: bool = True
    """Shrink the covariance of the activations as the authors' package does; the guarantee holds either way,
    but without it n near d makes the change arbitrarily large."""
    name: str = "LEACE"

    @fits
    @one_thread
    def fit(
        self,
        X: Float[np.ndarray, "n d"],
        y: Bool[np.ndarray, " n"],
        *,
        groups: Shaped[np.ndarray, " n"],  # noqa: ARG002  (of the protocol; nothing is held out here)
        seed: int,  # noqa: ARG002
    ) -> FittedErasure:
        """The eraser of y: with W the whitening of X and u the whitened cross-covariance, W^+ u u^T W.

        Activations without covariance with y are left as they are.
        """
        X, y = checked(X, y, method=self.name)
        mean = X.mean(axis=0)
        centred = X - mean
        covariance = centred.T @ centred / (len(X) - 1)
        if self.shrinkage:
            covariance = _optimally_shrunk(centred.T @ centred / len(X), n=len(X))
        values, vectors = np.linalg.eigh(covariance)
        kept = values > max(values[-1], 0.0) * len(values) * np.finfo(np.float64).eps
        values, vectors = values[kept], vectors[:, kept]
        cross = vectors.T @ (centred.T @ (y - y.mean())) / (len(X) - 1)
        whitened = cross / np.sqrt(values)
        length = np.linalg.norm(whitened)
        if length <= len(X) * np.finfo(np.float64).eps:
            return FittedErasure(np.zeros_like(mean), np.zeros_like(mean), mean, self.name)
        u = whitened / length
        return FittedErasure(
            vectors @ (u * np.sqrt(values)), vectors @ (u / np.sqrt(values)), mean, self.name
        )


def _optimally_shrunk(covariance: Float[np.ndarray, "d d"], *, n: int) -> Float[np.ndarray, "d d"]:
    """Optimal linear shrinkage towards a multiple of the identity (Bodnar, Gupta and Parolya 2014, eq. 4.3).

    `covariance` is the sample covariance of n rows with divisor n.
    """
    d = len(covariance)
    spread = np.trace(covariance) / d
    deviation = float(np.sum(covariance**2)) - d * spread**2
    noise = d**2 * spread**2 / n
    kept = 1.0 - noise / deviation if deviation > 0 else 0.0
    return kept * covariance + (1.0 - kept) * spread * np.eye(d)
