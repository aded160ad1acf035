"""Numbers as reports, tables and notebooks print them."""

from __future__ import annotations

from math import isfinite


def format_number(value: float | None) -> str:
    """A number to three significant digits or decimals; a dash where it is undefined."""
    if value is None or not isfinite(value):
        return "–"
    text = f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"
    return text.replace("-", "−")


def format_p(value: float | None) -> str:
    """A p-value; a dash where it is undefined."""
    if value is None or not isfinite(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
