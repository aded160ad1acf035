"""The figure of specificity: shares of variance in each task's row space, and their ratio beyond control."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from if_circuits.analyses.base import AnalysisResult
from if_circuits.plotting.families import family_colours
from if_circuits.plotting.style import (
    CONTROL,
    OKABE_ITO,
    legend_below,
    log_axis,
    new_figure,
    task_label,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(result: AnalysisResult) -> Figure:
    """Shares of variance of both kinds of response per task, and the ratio beyond its control."""
    table = result.table[result.table["reason"] == ""].iloc[::-1].reset_index(drop=True)
    height = 1.9 + 0.28 * max(len(table), 3)
    drawing, (shares, effects) = new_figure(1, 2, width=8.2, height=height, sharey=True)
    places = np.arange(len(table))
    colours = family_colours(result.table["family"])
    for place, row in zip(places, table.to_dict("records"), strict=True):
        colour = colours[row["family"]]
        shares.plot([row["share_twins"], row["share"]], [place] * 2, color=colour, linewidth=1.2)
        effects.errorbar(
            row["effect"],
            place,
            xerr=[[row["effect"] - row["low"]], [row["high"] - row["effect"]]],
            fmt="o",
            color=colour,
            capsize=2,
        )
        shares.plot(row["share"], place, "o", color=colour)
        shares.plot(row["share_twins"], place, "o", color=CONTROL, markerfacecolor="white")
    shares.plot([], [], "o", color=OKABE_ITO["black"], label="constrained")
    shares.plot([], [], "o", color=CONTROL, markerfacecolor="white", label="unconstrained twins")
    shares.set_yticks(
        places, [f"{task_label(row['task'])} (rank {row['rank']:g})" for row in table.to_dict("records")]
    )
    shares.set_xlabel("share of variance in the task's row space")
    shares.set_title("Inside the row space", fontsize=9)
    legend_below(shares, columns=2, size=8)
    effects.axvline(1.0, color=CONTROL, linestyle="--", linewidth=1)
    verdict = result.verdict
    if np.isfinite(verdict.interval).all():
        effects.axvspan(*verdict.interval, color=CONTROL, alpha=0.2, linewidth=0)
    log_axis(effects)
    effects.set_xlabel("ratio of shares, over that of random subspaces")
    effects.set_title(
        f"Specificity of {len(table)} of {len(result.table)} tasks\n"
        f"(n = {verdict.n} base queries; 95 %, band: mean)",
        fontsize=9,
    )
    return drawing
