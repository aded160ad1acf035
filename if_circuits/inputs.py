"""What users give, as the library uses it: one answer everywhere to an int, a string, a list, a tensor.

Where the meaning is plain the value is taken: one layer for a list of one, a pandas or torch vector for a
list of layers, 10.0 for 10. Everything else is an InputError that names what was given and what to give
instead. Arrays are in `input_arrays`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from numbers import Integral, Real
from typing import Any, cast

from if_circuits.errors import InputError


def as_count(value: object, name: str, *, least: int = 1) -> int:
    """A whole number of `least` or more."""
    whole = _whole(value)
    if whole is None:
        raise InputError(f"{name} is {shown(value)}; give a whole number of at least {least}")
    if whole < least:
        raise InputError(f"{name} is {whole}; it must be at least {least}")
    return whole


def as_number(value: object, name: str) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value):
        raise InputError(f"{name} is {shown(value)}; give a finite number")
    return float(value)


def as_names(value: object, name: str) -> tuple[str, ...]:
    """One name or several, in their order."""
    if isinstance(value, str):
        return (value,)
    given = tuple(cast("Iterable[object]", value)) if isinstance(value, Iterable) else (value,)
    if isinstance(value, Mapping | bytes) or not all(isinstance(each, str) for each in given):
        raise InputError(f"{name} is {shown(value)}; give a name or a list of names")
    return tuple(map(str, given))


def as_layers(value: object, name: str = "layers") -> tuple[int, ...]:
    """One layer or several, in their order: -1 is `embed`, i the residual stream after block i."""
    layers = [_whole(layer) for layer in _items(value)]
    if not layers or None in layers:
        raise InputError(f"{name} is {shown(value)}; give a layer or a list of layers, such as 3 or [2, 3]")
    return tuple(layer for layer in layers if layer is not None)


def _items(value: object) -> list[object]:
    """One thing or several as a list of Python's own: arrays, tensors and pandas columns too."""
    plain = cast(Any, value).tolist() if hasattr(value, "tolist") else value
    several = isinstance(plain, Iterable) and not isinstance(plain, str | bytes | Mapping)
    return list(cast("Iterable[object]", plain)) if several else [plain]


def _whole(value: object) -> int | None:
    """The value as an int where it is a whole number; no truth value is one."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    if isinstance(value, Integral):
        return int(value)
    number = float(value)
    return int(number) if number.is_integer() else None


def shown(value: object) -> str:
    """The value in an error message: short, with its type where its looks do not tell."""
    text = repr(value)
    if len(text) <= 60 and "\n" not in text:
        return text
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" + (f" of shape {list(shape)}" if shape is not None else "")
