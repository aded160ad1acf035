"""Results as HTML for notebooks: a heading, tables, figures, notes. No style sheet but a few inline rules."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from if_circuits.plotting.style import png_bytes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def page_html(heading: str, *parts: str, notes: Sequence[str] = ()) -> str:
    """A result: its heading, then tables and figures as HTML, then notes in small print."""
    small = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return (
        f'<div style="max-width: 60em"><p><b>{escape(heading)}</b></p>{"".join(parts)}'
        f'<ul style="font-size: 85%; color: #555; padding-left: 1.5em">{small}</ul></div>'
    )


def table_html(table: pd.DataFrame, *, index: bool = True) -> str:
    """A table, whose texts are shown as they are."""
    look: dict[str, Any] = {"border": 0, "justify": "left", "float_format": "{:.3g}".format, "na_rep": ""}
    text = table.to_html(index=index, escape=True, **look)
    return f'<div style="overflow-x: auto">{text}</div>'


def figure_html(figure: Figure) -> str:
    """A figure as an image inside the page."""
    data = b64encode(png_bytes(figure)).decode("ascii")
    width = round(float(figure.get_size_inches()[0]) * 96)
    return f'<img alt="figure" style="max-width: 100%; width: {width}px" src="data:image/png;base64,{data}">'
