"""The precision in which activations are kept."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float

from if_circuits.errors import InputError

StoredDtype: TypeAlias = Literal["float32", "float16"]
"""float16 halves the space and overflows above 65504, which Gemma reaches."""


def to_stored(
    activations: Float[np.ndarray, "*shape d_model"], dtype: StoredDtype, *, layer: int
) -> Float[np.ndarray, "*shape d_model"]:
    """The numbers in the stored type. Raises InputError where one does not fit it."""
    with np.errstate(over="ignore"):
        stored = activations.astype(dtype, copy=False)
    if stored.dtype != activations.dtype and (np.isinf(stored) & np.isfinite(activations)).any():
        raise InputError(
            f"activations of layer {layer} reach {np.nanmax(np.abs(activations)):.3g}, which "
            f"{dtype} cannot hold: store them as float32"
        )
    return stored
