"""What users give, as the library uses it: one answer everywhere to an int, a string, a list, a tensor.

Where the meaning is plain the value is taken: one layer for a list of one, a pandas or torch vector for
numpy's, 10.0 for 10. Everything else is an InputError that names what was given and what to give instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from numbers import Integral, Real
from typing import Any, cast

import numpy as np
from jaxtyping import Bool, Float, Shaped

from if_circuits.errors import InputError

_YES_NO = {"satisfied": True, "violated": False}
"""Verdicts that are labels of a probe."""


def as_count(value: object, name: str, *, least: int = 1) -> int:
    """A whole number of `least` or more."""
    whole = _whole(value)
    if whole is None:
        raise InputError(f"{name} is {_shown(value)}; give a whole number of at least {least}")
    if whole < least:
        raise InputError(f"{name} is {whole}; it must be at least {least}")
    return whole


def as_number(value: object, name: str) -> float:
    """A finite number."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real) or not isfinite(value):
        raise InputError(f"{name} is {_shown(value)}; give a finite number")
    return float(value)


def as_names(value: object, name: str) -> tuple[str, ...]:
    """One name or several, in their order."""
    if isinstance(value, str):
        return (value,)
    given = tuple(cast("Iterable[object]", value)) if isinstance(value, Iterable) else (value,)
    if isinstance(value, Mapping | bytes) or not all(isinstance(each, str) for each in given):
        raise InputError(f"{name} is {_shown(value)}; give a name or a list of names")
    return tuple(map(str, given))


def as_layers(value: object, name: str = "layers") -> tuple[int, ...]:
    """One layer or several, in their order: -1 is `embed`, i the residual stream after block i."""
    plain: Any = _plain(value)
    several = isinstance(plain, list | tuple) or (isinstance(plain, np.ndarray) and plain.ndim > 0)
    layers = [_whole(layer) for layer in (plain if several else [plain])]
    if not layers or None in layers or isinstance(value, Mapping):
        raise InputError(f"{name} is {_shown(value)}; give a layer or a list of layers, such as 3 or [2, 3]")
    return tuple(layer for layer in layers if layer is not None)


def as_array(value: object, name: str, *, shape: str) -> Float[np.ndarray, "*shape"]:
    """Numbers of as many dimensions as `shape` has names, such as "n d_model"; float32 stays as it is."""
    try:
        array = np.asarray(_plain(value))
        array = array if array.dtype == np.float32 else array.astype(np.float64, copy=False)
    except (TypeError, ValueError):
        raise InputError(f"{name} is {_shown(value)}; give numbers of shape [{shape}]") from None
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
        raise InputError(f"{name} is {_shown(value)}; give the group of each row, such as its base query")
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


def _whole(value: object) -> int | None:
    """The value as an int where it is a whole number; no truth value is one."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        return None
    if isinstance(value, Integral):
        return int(value)
    number = float(value)
    return int(number) if number.is_integer() else None


def _shown(value: object) -> str:
    """The value in an error message: short, with its type where its looks do not tell."""
    text = repr(value)
    if len(text) <= 60 and "\n" not in text:
        return text
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" + (f" of shape {list(shape)}" if shape is not None else "")
