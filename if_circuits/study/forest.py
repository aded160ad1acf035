"""The forest plot of several studies: a panel a claim, a row a study, the marker its verdict."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D

from if_circuits.plotting.style import CONTROL, OKABE_ITO, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = [OKABE_ITO[name] for name in ("blue", "vermilion", "green", "orange", "purple", "sky", "black")]
_MARKS = {
    "supported": ("o", True),
    "not supported": ("X", True),
    "inconclusive": ("D", False),
    "described": ("|", True),
}
"""Marker of each verdict, and whether it is filled: told apart without colour."""


def draw_forest(table: pd.DataFrame) -> Figure:
    """The effect of every claim in every study with its interval; dotted: the threshold of its rule."""
    studies = list(dict.fromkeys(table["study"]))
    claims = list(dict.fromkeys(table["analysis"]))
    height = 0.6 + max(1, len(claims)) * (0.75 + 0.21 * max(1, len(studies)))
    figure, panels = new_figure(max(1, len(claims)), 1, width=8.0, height=height)
    for axes, claim in zip(panels, claims, strict=False):
        _claim(axes, table[table["analysis"] == claim], studies)
    named = [_mark("black", verdict, label=verdict) for verdict in _MARKS]
    threshold = Line2D([], [], color=CONTROL, linestyle=":", label="threshold of the rule")
    figure.legend(handles=[*named, threshold], loc="outside lower center", ncols=5, fontsize=8)
    return figure


def _claim(axes: Axes, rows: pd.DataFrame, studies: list[str]) -> None:
    for row in rows.to_dict("records"):
        place = studies.index(row["study"])
        colour = _COLOURS[place % len(_COLOURS)]
        if np.isfinite([row["low"], row["high"]]).all():
            axes.plot([row["low"], row["high"]], [place] * 2, color=colour, linewidth=1.6)
        if np.isfinite(row["effect"]):
            axes.add_line(_mark(colour, row["verdict"], x=row["effect"], y=place))
        else:
            told: dict[str, Any] = {"fontsize": 7, "va": "center", "color": colour}
            axes.text(0.01, place, "no effect to measure", transform=axes.get_yaxis_transform(), **told)
    axes.autoscale_view(scaley=False)
    if rows["effect"].isna().all():
        axes.set_xticks([])
    for threshold in set(filter(None, map(_threshold, rows["rule"]))):
        axes.axvline(float(threshold), color=CONTROL, linestyle=":", linewidth=1.4)
    axes.set_yticks(range(len(studies)), studies)
    axes.set_ylim(len(studies) - 0.5, -0.5)
    axes.tick_params(labelsize=8)
    axes.set_title(str(rows["claim"].iloc[0]), fontsize=9, loc="left")


def _mark(colour: str, verdict: str, *, x: float | None = None, y: float = 0.0, label: str = "") -> Line2D:
    marker, filled = _MARKS[verdict]
    at: tuple[list[float], list[float]] = ([], []) if x is None else ([x], [y])
    look: dict[str, Any] = {"color": colour, "markerfacecolor": colour if filled else "white"}
    return Line2D(*at, linestyle="", marker=marker, markersize=7, zorder=3, label=label, **look)


def _threshold(rule: str) -> str | None:
    """The number that an interval is held against, as the written rule says it."""
    found = re.search(r"lies wholly (?:above|below) ([-+.\de]+)", rule)
    return found[1] if found else None
