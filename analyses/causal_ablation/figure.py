"""The figure of causal ablation: two directed matrices, the surviving edges as a graph and with intervals;
below them, with a model, what `causal_effects_figure` draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.patches import FancyArrowPatch, Rectangle

from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.causal_ablation.effects_figure import (
    draw_both_ways,
    draw_damage,
    draw_own,
    draw_rebuilt,
)
from if_circuits.analyses.shared.families import families_of
from if_circuits.plotting.families import family_colours, task_looks
from if_circuits.plotting.style import (
    CONTROL,
    DIVERGING,
    EFFECT,
    OKABE_ITO,
    draw_matrix,
    new_mosaic,
    task_label,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_LISTED = 14
"""Edges listed with their intervals; more would not be read."""


def draw(result: AnalysisResult, *, matrices: tuple[str, str], edges_of: str) -> Figure:
    """Both matrices above; below, the edges of `edges_of` among its measurable tasks if any survives, and
    whatever was measured on the model.
    """
    chosen = result.table[result.table["matrix"] == edges_of]
    n_edges, n_measurable = len(_edges(chosen)), chosen.loc[chosen["measurable"], "ablated"].nunique()
    layout, heights = [list(matrices)], [1.0]
    if n_edges:
        layout.append(["graph", "edges"])
        heights.append(0.9)
    on_model = "both_ways" in result.tables
    if on_model:
        layout += [["own", "damage"], ["rebuilt", "both ways"]]
        heights += [0.8, 0.8]
    drawing, axes = new_mosaic(layout, width=11.5, height=0.6 + 4.6 * sum(heights), height_ratios=heights)
    for name in matrices:
        _matrix(axes[name], result.table[result.table["matrix"] == name], name)
    if n_edges:
        _graph(axes["graph"], chosen)
        _intervals(axes["edges"], chosen)
    if on_model:
        draw_own(axes["own"], result.table[result.table["matrix"] == matrices[1]])
        draw_damage(axes["damage"], result.tables["damage"])
        looks = task_looks(families_of(result.table, task="ablated"))
        draw_rebuilt(axes["rebuilt"], result.tables["rebuilt"], looks)
        draw_both_ways(axes["both ways"], result.tables["both_ways"], looks)
    found = f"{n_edges} edges survive" if n_edges else "no edge survives"
    drawing.suptitle(
        f"Drop of task B when task A's subspace is removed, beyond random subspaces of its rank "
        f"(n = {result.verdict.n} base queries)\n"
        f"{edges_of}: {found} among {n_measurable} measurable tasks",
        fontsize=9,
    )
    return drawing


def _edges(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["survives"] & table["measurable"]]


def _colours(table: pd.DataFrame) -> dict[str, str]:
    family_of = families_of(table, task="ablated")
    colours = family_colours(family_of.values())
    return {task: colours[family] for task, family in family_of.items()}


def _matrix(axes: Axes, table: pd.DataFrame, name: str) -> None:
    tasks = list(families_of(table, task="ablated"))
    values = table.pivot(index="ablated", columns="measured", values="excess").loc[tasks, tasks].to_numpy()
    reach = max(0.05, float(np.nanmax(np.abs(values), initial=0.0)))
    unit = "compliance" if name == "behaviour" else "AUROC"
    draw_matrix(
        axes, values.tolist(), rows=tasks, columns=tasks, low=-reach, high=reach, colours=DIVERGING,
        label=f"drop in {unit} beyond control",
    )  # fmt: skip
    for row in table.to_dict("records"):
        place = (tasks.index(row["measured"]) - 0.5, tasks.index(row["ablated"]) - 0.5)
        own = row["ablated"] == row["measured"]
        if row["survives"]:
            axes.add_patch(Rectangle(place, 1, 1, fill=False, edgecolor=OKABE_ITO["black"], linewidth=1.6))
        if own and row["measurable"]:
            axes.add_patch(
                Rectangle(place, 1, 1, fill=False, edgecolor=CONTROL, linewidth=1.2, linestyle=":")
            )
        if np.isnan(row["excess"]):
            axes.add_patch(Rectangle(place, 1, 1, fill=False, edgecolor=CONTROL, linewidth=0, hatch="////"))
    axes.set_ylabel("ablated task A")
    axes.set_xlabel("measured task B")
    where = "behaviour" if name == "behaviour" else f"representation, {name}"
    axes.set_title(
        f"In {where}\nframed: edge, FDR 5 %; dotted: own removal\nworks; hatched: not measured", fontsize=8
    )


def _graph(axes: Axes, table: pd.DataFrame) -> None:
    """Tasks on a circle, an arrow from A to B for each surviving edge; unmeasurable tasks are hollow."""
    tasks = list(families_of(table, task="ablated"))
    angles = np.pi / 2 - 2 * np.pi * np.arange(len(tasks)) / len(tasks)
    places = dict(zip(tasks, np.column_stack([np.cos(angles), np.sin(angles)]).tolist(), strict=True))
    measurable = set(table.loc[table["measurable"], "ablated"])
    drawn = _edges(table)
    largest = float(drawn["excess"].max())
    for row in drawn.to_dict("records"):
        axes.add_patch(
            FancyArrowPatch(
                places[row["ablated"]],
                places[row["measured"]],
                arrowstyle="-|>",
                mutation_scale=11,
                shrinkA=9,
                shrinkB=9,
                linewidth=0.6 + 2.4 * row["excess"] / largest,
                color=EFFECT,
                alpha=0.75,
                connectionstyle="arc3,rad=0.14",
            )  # fmt: skip
        )
    colours = _colours(table)
    for task, (x, y) in places.items():
        known = task in measurable
        axes.plot(x, y, "o", markersize=9, color=colours[task], fillstyle="full" if known else "none")
        side = "center" if abs(x) < 0.3 else "left" if x > 0 else "right"
        axes.text(1.17 * x, 1.14 * y, task_label(task), ha=side, va="center", fontsize=8)
    axes.set(xlim=(-1.75, 1.75), ylim=(-1.3, 1.3), aspect="equal", anchor="C")
    axes.axis("off")
    counted = f"{len(drawn)} edges among {len(measurable)} measurable tasks"
    axes.set_title(f"{counted}\n(hollow: not measurable)", fontsize=9)


def _intervals(axes: Axes, table: pd.DataFrame) -> None:
    """The strongest edges with the interval of their drop."""
    edges = _edges(table).sort_values("excess").iloc[-MOST_LISTED:]
    axes.axvline(0.0, color=CONTROL, linestyle="--", linewidth=1)
    places, colours = np.arange(len(edges)), _colours(table)
    for place, row in zip(places, edges.to_dict("records"), strict=True):
        bars = [[row["excess"] - row["low"]], [row["high"] - row["excess"]]]
        axes.errorbar(row["excess"], place, xerr=bars, fmt="o", capsize=2, color=colours[row["ablated"]])
    arrows = zip(edges["ablated"].tolist(), edges["measured"].tolist(), strict=True)
    labels = [f"{task_label(a)} \u2192\n{task_label(b)}" for a, b in arrows]
    axes.set_yticks(places, labels, fontsize=7.5)
    axes.set_xlabel("drop beyond control")
    axes.set_title("Strongest edges A \u2192 B, with intervals\nover base queries", fontsize=9)
