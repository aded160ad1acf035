"""One number of a view with all that is said of it: interval, n, controls, and what else is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from if_circuits.report.numbers import num

Json = dict[str, Any]


def cell(
    row: Mapping[Any, Any],
    value: str,
    *,
    low: str = "low",
    high: str = "high",
    facts: Sequence[tuple[str, str]] = (),
    controls: Sequence[Json] = (),
    **more: Any,
) -> Json:
    """A cell from a row of a table; `facts` name columns with how they are called."""
    found: Json = {"v": num(row.get(value)), "lo": num(row.get(low)), "hi": num(row.get(high))}
    if (n := num(row.get("n"))) is not None:
        found["n"] = n
    told = [[name, num(row.get(column))] for column, name in facts]
    told = [[name, known] for name, known in told if known is not None]
    if told:
        found["facts"] = told
    if kept := [one for one in controls if one.get("mean") is not None]:
        found["controls"] = kept
    if reason := row.get("reason"):
        found["why"] = str(reason)
    return found | {name: one for name, one in more.items() if one not in (None, False)}
