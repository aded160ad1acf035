"""Measured tables in a Markdown page: each stands between two markers; nothing else is touched."""

from __future__ import annotations

from if_circuits.errors import InputError


def markers(name: str) -> tuple[str, str]:
    """The lines between which the table of that name stands."""
    return f"<!-- {name}: start -->", f"<!-- {name}: end -->"


def insert_table(text: str, table: str, *, name: str) -> str:
    """`text` with the table between its markers. InputError without one of each, in order."""
    start, end = markers(name)
    if text.count(start) != 1 or text.count(end) != 1 or text.index(start) > text.index(end):
        raise InputError(f"the text needs one line {start!r} and one line {end!r} after it")
    return text[: text.index(start) + len(start)] + "\n" + table + text[text.index(end) :]
