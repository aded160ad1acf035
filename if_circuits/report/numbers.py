"""Table values as JSON values: short numbers, and null where there is none."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any

import pandas as pd


def num(value: object) -> float | int | None:
    """A number with five significant digits; None where it is missing or undefined."""
    if value is None or isinstance(value, str) or pd.isna(value):  # pyright: ignore[reportArgumentType, reportCallIssue]
        return None
    number = float(value)  # pyright: ignore[reportArgumentType]
    if not isfinite(number):
        return None
    if number == int(number) and abs(number) < 1e9:
        return int(number)
    return float(f"{number:.5g}")


def nums(values: Iterable[object]) -> list[float | int | None]:
    """Many of them."""
    return [num(value) for value in values]


def texts(values: Iterable[Any]) -> list[str]:
    """Strings, empty where missing."""
    return ["" if value is None or value is pd.NA or value != value else str(value) for value in values]
