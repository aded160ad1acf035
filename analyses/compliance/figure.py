"""The figure of compliance."""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from if_circuits.plotting import style
from if_circuits.plotting.families import family_colours


def compliance_figure(table: pd.DataFrame) -> Figure:
    """Compliance of each task, constrained and unconstrained, with intervals and the number of responses."""
    figure, (axes,) = style.new_figure(height=1.2 + 0.38 * len(table))
    heights = np.arange(len(table))[::-1]
    axes.hlines(
        heights, table["unconstrained"], table["constrained"], color=style.CONTROL, linewidth=0.8, alpha=0.4
    )
    colour_of = family_colours(table["family"])
    colours = [colour_of[family] for family in table["family"]]
    _points(axes, table, "unconstrained", heights, colours=[style.CONTROL] * len(table), marker="o")
    _points(axes, table, "constrained", heights, colours=colours, marker="o")
    axes.plot([], [], "o", color=style.CONTROL, label="unconstrained twin")
    for family, colour in colour_of.items():
        axes.plot([], [], "o", color=colour, label=f"constrained, {family}")
    if table["greedy"].notna().any():
        _points(
            axes, table, "greedy", heights - 0.24, colours=["black"] * len(table), marker="D", hollow=True
        )
        axes.plot([], [], "D", color="black", markerfacecolor="white", label="constrained, greedy")
    labels = [
        f"{style.task_label(task)}  (n = {n})" for task, n in zip(table["task"], table["n"], strict=True)
    ]
    axes.set_yticks(heights, labels)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("share of responses that satisfy the constraint (95 % interval)")
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _points(
    axes: Axes,
    table: pd.DataFrame,
    column: str,
    heights: Float[np.ndarray, " tasks"] | Int[np.ndarray, " tasks"],
    *,
    colours: list[str],
    marker: str,
    hollow: bool = False,
) -> None:
    """A share of each task, with its interval; a task without responses of the kind has no point."""
    shares = table[[column, f"{column}_low", f"{column}_high"]].to_numpy(dtype=np.float64)
    for height, colour, (share, low, high) in zip(heights.tolist(), colours, shares.tolist(), strict=True):
        if not np.isfinite(share):
            continue
        look: dict[str, Any] = {"color": colour, "fmt": marker, "capsize": 3, "clip_on": False}
        look |= {"markerfacecolor": "white" if hollow else colour, "markersize": 4 if hollow else 6}
        error = [[share - low], [high - share]] if np.isfinite([low, high]).all() else None
        axes.errorbar(share, height, xerr=error, **look)
