"""The precision in which activations are kept: how numbers get into it, and how they come back.

numpy has no bfloat16. Such numbers are held as their 16 bits, the upper half of a float32, and read as
float32.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Shaped

from if_circuits.activations.dtypes import StoredDtype
from if_circuits.errors import InputError

_HELD_AS: dict[StoredDtype, str] = {"float32": "<f4", "float16": "<f2", "bfloat16": "<u2"}
_BFLOAT16_NAN = 0x7FC0


def held_as(dtype: StoredDtype) -> np.dtype:
    """The numpy type that holds numbers of a stored type."""
    return np.dtype(_HELD_AS[dtype])


def to_stored(
    activations: Float[np.ndarray, "*shape d_model"], dtype: StoredDtype, *, layer: int
) -> Shaped[np.ndarray, "*shape d_model"]:
    """The numbers as the stored type holds them, rounded to the nearest, ties to even.

    Raises InputError where one does not fit it.
    """
    if dtype == "bfloat16":
        stored = _upper_bits(activations.astype(np.float32, copy=False))
        overflown = (stored & 0x7FFF) == 0x7F80
    else:
        with np.errstate(over="ignore"):
            stored = activations.astype(held_as(dtype), copy=False)
        overflown = np.isinf(stored) if stored.dtype != activations.dtype else np.False_
    if overflown.any() and (overflown & np.isfinite(activations)).any():
        raise InputError(
            f"activations of layer {layer} reach {np.nanmax(np.abs(activations)):.3g}, which "
            f"{dtype} cannot hold: store them as float32"
        )
    return stored


def from_stored(
    stored: Shaped[np.ndarray, "*shape d_model"], dtype: StoredDtype
) -> Float[np.ndarray, "*shape d_model"]:
    """The numbers that `to_stored` gave, as float32."""
    if dtype == "bfloat16":
        return (stored.astype(np.uint32) << 16).view(np.float32)
    return stored.astype(np.float32, copy=False)


def _upper_bits(numbers: Float[np.ndarray, "*shape d_model"]) -> Shaped[np.ndarray, "*shape d_model"]:
    """The upper 16 bits of float32 numbers after rounding, as uint16."""
    bits = np.ascontiguousarray(numbers).view(np.uint32)
    # Half of the last bit that stays, or just less of it where that bit is 0: ties go to the even number.
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
    # The carry of a NaN would end in another number.
    return np.where(np.isnan(numbers), _BFLOAT16_NAN, rounded).astype(np.uint16)
