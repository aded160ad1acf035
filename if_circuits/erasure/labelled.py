"""The check that every erasure method makes of the activations and labels it is fitted to."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from if_circuits.errors import InputError


def checked(
    X: Float[np.ndarray, "n d"], y: Bool[np.ndarray, " n"], *, method: str
) -> tuple[Float[np.ndarray, "n d"], Bool[np.ndarray, " n"]]:
    """X in float64 and y, or InputError where shapes disagree, a class is missing or X has NaN."""
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y)
    if X.ndim != 2 or y.shape != (len(X),) or y.dtype != np.bool_:
        raise InputError(f"{method} needs X [n, d] and bool y [n], got {X.shape} and {y.dtype} {y.shape}")
    if not np.isfinite(X).all():
        raise InputError(f"{method} needs finite activations; leave out rows whose position does not exist")
    if y.all() or not y.any():
        raise InputError(f"{method} needs both classes, got {int(y.sum())} positive of {len(y)} rows")
    return X, y
