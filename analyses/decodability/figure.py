"""AUROC by layer, a panel a position, with what the text alone tells beside."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from if_circuits.analyses.shared.families import families_of
from if_circuits.models.layers import layer_label
from if_circuits.plotting.families import task_looks
from if_circuits.plotting.style import CONTROL, new_figure, position_label, task_label


def draw(table: pd.DataFrame) -> Figure:
    """The table of a `Decodability`, drawn; the baseline `text` is a dotted line in the task's colour."""
    scored = table[table["reason"] == ""]
    looks = task_looks(families_of(scored))
    positions = list(dict.fromkeys(scored["position"]))
    drawn, panels = new_figure(
        1,
        max(1, len(positions)),
        width=min(12.0, 1.2 + 2.9 * max(1, len(positions))),
        height=3.2,
        sharey=True,
    )
    for axes, position in zip(panels, positions, strict=False):
        here = scored[scored["position"] == position]
        layers = sorted(here["layer"].dropna().unique())
        for task, rows in here.groupby("task", sort=False):
            style = looks[str(task)]
            probed = rows.dropna(subset=["layer"]).sort_values("layer")
            axes.fill_between(
                probed["layer"], probed["low"], probed["high"], color=style["color"], alpha=0.15, linewidth=0
            )
            axes.plot(probed["layer"], probed["auroc"], label=task_label(str(task)), **style)
            for text in rows["auroc"][rows["probe"] == "text"]:
                label = "text alone" if task == here["task"].iloc[0] else None
                axes.axhline(text, color=style["color"], linestyle=(0, (1, 3)), linewidth=1.2, label=label)
        axes.axhline(0.5, color=CONTROL, linewidth=0.8)
        axes.set_xticks(layers, [layer_label(int(layer)) for layer in layers])
        axes.set_xlabel("layer")
        axes.set_title(position_label(position))
    panels[0].set_ylabel("AUROC")
    if positions:
        panels[-1].legend(fontsize=7, loc="lower right")
    return drawn
