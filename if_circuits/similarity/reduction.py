"""Principal components: what every similarity is computed on, few against the number of rows.

With n rows and d dimensions, canonical correlations of pure noise approach 1 as d approaches n. Keeping k
<< n components bounds that bias; the permutation null of `compare_all` removes the rest.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

_RANK_TOLERANCE = 1e-10
_MAX_COMPONENTS = 32


@dataclass(frozen=True, eq=False)
class Reduced:
    """Centred activations as U S V', cut to the leading components (at most their rank)."""

    basis: Float[np.ndarray, "n k"]
    """U: orthonormal columns, the whitened scores."""
    scale: Float[np.ndarray, " k"]
    """S: singular values, falling."""
    axes: Float[np.ndarray, "k d"]
    """V': the components in activation space."""

    @property
    def scores(self) -> Float[np.ndarray, "n k"]:
        """Coordinates in the components."""
        return self.basis * self.scale


def default_components(n: int) -> int:
    """Components for n rows: a tenth of them, from 1 to 32."""
    return min(max(n // 10, 1), _MAX_COMPONENTS)


def reduce(X: Float[np.ndarray, "n d"], *, k: int) -> Reduced:
    """Centre X and keep its k leading principal components, or as many as its rank allows.

    Raises ValueError on values that are not finite and when k is below 1.
    """
    if k < 1:
        raise ValueError(f"k counts components and must be at least 1, got {k}")
    if not np.isfinite(X).all():
        rows = int((~np.isfinite(X)).any(axis=1).sum())
        raise ValueError(f"{rows} of {len(X)} rows are not finite (a position may be absent): drop those")
    centred = np.asarray(X, dtype=np.float64)
    centred = centred - centred.mean(axis=0)
    U, S, Vt = np.linalg.svd(centred, full_matrices=False)
    # Where all rows are equal, centring leaves rounding errors of the numbers' own size times epsilon.
    floor = max(
        _RANK_TOLERANCE * S.max(initial=0.0), 1e3 * np.finfo(np.float64).eps * float(np.linalg.norm(X))
    )
    kept = min(k, int((floor < S).sum()))
    return Reduced(U[:, :kept], S[:kept], Vt[:kept])
