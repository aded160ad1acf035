"""Arrays that users give, as the library uses them: a list, a pandas column or a tensor for numpy's.

Beside `inputs`, which takes numbers and names and needs no numpy. What cannot be meant is an InputError that
names what was given and what to give instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import numpy as np
from jaxtyping import Bool, Float, Shaped

from if_circuits.errors import InputError
from if_circuits.inputs import shown

_YES_NO = {"satisfied": True, "violated": False}
"""Verdicts that are labels of a probe."""


def as_array(value: object, name: str, *, shape: str) -> Float[np.ndarray, "*shape"]:
    """Numbers of as many dimensions as `shape` has names, such as "n d_model"; float32 stays as it is."""
    try:
        array = np.asarray(_plain(value))
        array = array if array.dtype == np.float32 else array.astype(np.float64, copy=False)
    except (TypeError, ValueError):
        raise InputError(f"{name} is {shown(value)}; give numbers of shape [{shape}]") from None
    if array.ndim != len(shape.split()):
        raise InputError(f"{name} has shape {list(array.shape)}; give one of shape [{shape}]")
    return array


def as_vector(value: object, name: str) -> Float[np.ndarray, " d_model"]:
    """One finite vector of the residual stream."""
    vector = as_array(value, name, shape="d_model")
    if not len(vector) or not np.isfinite(vector).all():
        missing = int(len(vector) - np.isfinite(vector).sum())
        raise InputError(
            f"{name} has {missing} of {len(vector)} numbers that are not finite; give a finite vector"
        )
    return vector


def as_labels(value: object, name: str = "y") -> Bool[np.ndarray, " n"]:
    """Labels as booleans: from booleans, 0 and 1, or the verdicts "satisfied" and "violated"."""
    array = np.asarray(_plain(value))
    if array.ndim == 1 and array.dtype == np.bool_:
        return array
    known = {**_YES_NO, 0: False, 1: True}
    given: list[Any] = array.tolist() if array.ndim == 1 else []
    other = [each for each in given if each not in known]
    if array.ndim != 1 or other:
        what = f"holds {other[0]!r}" if other else f"has shape {list(array.shape)}"
        raise InputError(
            f"{name} {what}; give one label a row: booleans, 0 and 1, or satisfied and violated, and leave "
            "out rows that are undecided"
        )
    return np.array([known[each] for each in given], dtype=np.bool_)


def as_groups(value: object, name: str = "groups") -> Shaped[np.ndarray, " n"]:
    """What each row belongs to, such as its base query: one name or number a row."""
    array = np.asarray(_plain(value))
    if array.ndim != 1 or isinstance(value, str):
        raise InputError(f"{name} is {shown(value)}; give the group of each row, such as its base query")
    return array


def _plain(value: object) -> object:
    """Torch tensors, on any device and in any precision, and pandas columns as numpy arrays."""
    anything = cast(Any, value)
    if hasattr(value, "detach"):
        tensor = anything.detach().cpu()
        return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
    if hasattr(value, "to_numpy"):
        return anything.to_numpy()
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | np.ndarray | list | tuple):
        return list(cast("Iterable[object]", value))
    return value
