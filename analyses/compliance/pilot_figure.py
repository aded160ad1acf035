"""The figure of the pilot: compliance of each grade, asked for and not, and which ones the study asks."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import binomtest

from if_circuits.plotting import style
from if_circuits.plotting.families import family_colours


def pilot_figure(table: pd.DataFrame) -> Figure:
    """A line for each grade, task by task, with Wilson's 95 % interval; filled marks are the grades kept."""
    figure, (axes,) = style.new_figure(height=1.2 + 0.24 * len(table))
    new_task = table["task"].ne(table["task"].shift()).cumsum().to_numpy()
    heights = -(np.arange(len(table)) + 0.6 * (new_task - 1))
    colour_of = family_colours(table["family"])
    for height, row in zip(heights.tolist(), table.to_dict("records"), strict=True):
        colour = colour_of[row["family"]]
        axes.hlines(height, row["unconstrained"], row["constrained"], color=style.CONTROL, linewidth=0.8)
        axes.plot(row["unconstrained"], height, "|", color=style.CONTROL, markersize=8)
        n = int(row["n"])
        interval = binomtest(round(row["constrained"] * n), n).proportion_ci(method="wilson")
        axes.hlines(height, interval.low, interval.high, color=colour, linewidth=3, alpha=0.25)
        face = colour if row["kept"] else "white"
        axes.plot(row["constrained"], height, "o", color=colour, markerfacecolor=face, clip_on=False)
    axes.plot([], [], "|", color=style.CONTROL, markersize=8, label="unconstrained")
    for family, colour in colour_of.items():
        axes.plot([], [], "o", color=colour, label=f"constrained, {family}")
    axes.plot([], [], "o", color="black", markerfacecolor="white", label="not asked by the study")
    labels = [
        f"{style.task_label(task)}: {grade}" if grade else style.task_label(task)
        for task, grade in zip(table["task"], table["grade"], strict=True)
    ]
    axes.set_yticks(heights, labels, fontsize=8)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("share of the pilot's responses that satisfy the constraint (95 % interval)")
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    return figure
