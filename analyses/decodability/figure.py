"""AUROC by layer, a panel a position, with what the text alone tells beside."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from if_circuits.analyses.shared.families import families_of
from if_circuits.analyses.shared.layer_axis import layer_axis, marker_step
from if_circuits.plotting.families import task_looks
from if_circuits.plotting.style import CONTROL, new_figure, position_label, task_label


def draw(table: pd.DataFrame) -> Figure:
    """The table of a `Decodability`, drawn; the baseline `text` is a dotted line in the task's colour."""
    scored = table[table["reason"] == ""]
    looks = task_looks(families_of(scored))
    positions = list(dict.fromkeys(scored["position"]))
    rows, columns = _grid(len(positions))
    drawn, panels = new_figure(rows, columns, width=1.2 + 2.7 * columns, height=0.9 + 2.5 * rows, sharey=True)
    for axes, position in zip(panels, positions, strict=False):
        here = scored[scored["position"] == position]
        for task, own in here.groupby("task", sort=False):
            style = looks[str(task)]
            probed = own.dropna(subset=["layer"]).sort_values("layer")
            axes.fill_between(
                probed["layer"], probed["low"], probed["high"], color=style["color"], alpha=0.15, linewidth=0
            )
            every = marker_step(len(probed))
            axes.plot(probed["layer"], probed["auroc"], label=task_label(str(task)), markevery=every, **style)
            for text in own["auroc"][own["probe"] == "text"]:
                label = "text alone" if task == here["task"].iloc[0] else None
                axes.axhline(text, color=style["color"], linestyle=(0, (1, 3)), linewidth=1.2, label=label)
        axes.axhline(0.5, color=CONTROL, linewidth=0.8)
        layer_axis(axes, here["layer"].dropna())
        axes.set_xlabel("layer")
        axes.set_title(position_label(position), fontsize=9)
    for axes in panels[::columns]:
        axes.set_ylabel("AUROC")
    for axes in panels[len(positions) :]:
        axes.set_axis_off()
    if positions:
        named = {label: line for axes in panels for line, label in _lines(axes)}
        drawn.legend(list(named.values()), list(named), loc="outside lower center", ncols=5, fontsize=7)
    return drawn


def _lines(axes: Axes) -> Iterable[tuple[Artist, str]]:
    lines, names = axes.get_legend_handles_labels()
    return zip(lines, names, strict=True)


def _grid(n_panels: int) -> tuple[int, int]:
    """Rows and columns of panels, at most four abreast; one panel stands even for nothing."""
    rows = -(-n_panels // 4) or 1
    return rows, -(-n_panels // rows) or 1
