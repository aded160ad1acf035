"""The figure of localisation: the map by task, one direction by layer, the subspaces compared, the
dependencies, and what a sentence does beside what a direction does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.localisation.plain_prompts import TAKEN_BACK
from if_circuits.analyses.localisation.subspaces import ONE_DIRECTION
from if_circuits.analyses.shared.families import families_of
from if_circuits.analyses.shared.layer_axis import layer_axis, marker_step
from if_circuits.plotting.families import task_looks
from if_circuits.plotting.style import (
    SEQUENTIAL,
    draw_matrix,
    legend_below,
    new_mosaic,
    position_label,
    say_why,
    task_label,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POSITIONS = ("prompt_end", "response", "all")


def draw(result: AnalysisResult) -> Figure:
    """Three maps of the whole residual stream, one a position; below, one direction, all subspaces, and the
    edges between tasks beside plain prompts.
    """
    below = ["edges", "edges", "prompts"]
    layout = [list(_POSITIONS), ["direction"] * 3, ["subspaces"] * 3, below]
    drawing, axes = new_mosaic(layout, width=10.0, height=15.0, height_ratios=(1.1, 1.0, 1.1, 1.3))
    table, looks = result.table, task_looks(families_of(result.table))
    if "carried" not in result.tables:
        for place in axes.values():
            place.axis("off")
        say_why(axes["direction"], str(table["reason"].iloc[0]) if len(table) else "no task")
        return drawing
    table = table[table["layer"].notna()]
    tasks = list(families_of(table))
    for position in _POSITIONS:
        _map(axes[position], table, tasks, position, named=position == _POSITIONS[0])
    _curves(axes["direction"], table, result.tables["carried"], looks)
    _compared(axes["subspaces"], result.tables["subspaces"], tasks)
    _edges(axes["edges"], result.tables["dependencies"], tasks)
    _prompts(axes["prompts"], result.tables["plain_prompts"], result.tables["carried"], tasks)
    verdict = result.verdict
    low, high = verdict.interval
    drawing.suptitle(
        f"Trend over families: tau {verdict.effect:+.2f} [{low:+.2f}, {high:+.2f}], p = {verdict.p:.2g}: "
        f"{verdict.verdict} (causal, {verdict.n} base queries)",
        fontsize=9,
    )
    return drawing


def _map(axes: Axes, table: pd.DataFrame, tasks: list[str], position: str, *, named: bool) -> None:
    """Share of the whole difference, task by layer, where the constrained prompt receives."""
    rows = table[
        (table["position"] == position) & (table["subspace"] == "residual") & (table["direction"] == "takes")
    ]
    wide = rows.pivot(index="task", columns="layer", values="share").reindex(tasks)
    image = axes.imshow(wide.to_numpy(dtype=float), vmin=0, vmax=1, cmap=SEQUENTIAL, aspect="auto")
    axes.grid(visible=False)
    shown = range(0, len(wide.columns), -(-len(wide.columns) // 8))
    axes.set_xticks(list(shown), [f"{int(wide.columns[at])}" for at in shown])
    axes.set_yticks(range(len(tasks)), [task_label(name) for name in tasks] if named else [""] * len(tasks))
    where = {"all": "both"}.get(position, position_label(position))
    axes.set_title(f"whole stream, {where}", fontsize=9)
    axes.set_xlabel("layer exchanged")
    if position == _POSITIONS[-1]:
        axes.figure.colorbar(image, ax=axes, label="share of the prompt's effect")


def _curves(axes: Axes, table: pd.DataFrame, carried: pd.DataFrame, looks: dict[str, dict[str, Any]]) -> None:
    """The share that one direction carries; a ring marks the layer of each task."""
    one = table[table["subspace"] == ONE_DIRECTION]
    layer_of = dict(zip(carried["task"], carried["layer"], strict=True))
    for name, rows in one.groupby("task", sort=False):
        rows, look = rows.sort_values("layer"), looks[str(name)]
        line: dict[str, Any] = {**look, "label": task_label(str(name)), "markevery": marker_step(len(rows))}
        axes.plot(rows["layer"], rows["share"], **line)
        axes.fill_between(
            rows["layer"].astype(float), rows["low"], rows["high"], color=look["color"], alpha=0.1
        )
        peak = rows[rows["layer"].astype(int).astype(str) == layer_of.get(str(name))]
        axes.plot(peak["layer"], peak["share"], "o", markersize=11, fillstyle="none", color=look["color"])
    placebo = one.groupby("layer")["share_placebo"].mean()
    axes.plot(placebo.index, placebo, color="black", linewidth=0.8, linestyle=":", label="placebo, mean")
    axes.axhline(0.0, color="black", linewidth=0.6)
    layer_axis(axes, one["layer"].dropna())
    axes.set(xlabel="layer exchanged", ylabel="share of the prompt's effect (95 % band)")
    pairs = "" if one.empty else f"; n = {int(one.drop_duplicates('task')['n'].sum())} pairs"
    axes.set_title(
        f"one direction, the difference in means (ring: the layer that carries){pairs}", fontsize=9
    )
    if len(one):
        legend_below(axes, columns=5)


def _compared(axes: Axes, compared: pd.DataFrame, tasks: list[str]) -> None:
    """Share of each subspace at the task's layer."""
    if compared.empty:
        axes.axis("off")
        say_why(
            axes, "one direction carries no task at any layer, so there is no layer to compare subspaces at"
        )
        return
    wide = compared.pivot(index="task", columns="subspace", values="share")
    order = list(dict.fromkeys(compared["subspace"]))
    wide = wide.reindex(index=[name for name in tasks if name in wide.index], columns=order)
    marked = compared.pivot(index="task", columns="subspace", values="p_adjusted").reindex_like(wide) <= 0.05
    draw_matrix(
        axes,
        np.clip(wide.to_numpy(dtype=float), -1, 2),
        rows=list(wide.index),
        columns=order,
        low=0.0,
        high=1.0,
        label="share",
        marked=marked.to_numpy(),
    )
    axes.set_title("subspaces at the task's layer, share of the prompt's effect (* FDR 5 %)", fontsize=9)


def _edges(axes: Axes, edges: pd.DataFrame, tasks: list[str]) -> None:
    """Share of the measured task's effect that goes when the changed task's direction is exchanged."""
    edges = edges[edges["way"] == "interchange"]
    if edges.empty:
        axes.axis("off")
        say_why(axes, "one direction carries no task, so there is none to exchange")
        return
    changed = [name for name in tasks if name in set(edges["changed"])]
    measured = [name for name in tasks if name in set(edges["measured"])]
    share = edges.pivot(index="changed", columns="measured", values="share").reindex(
        changed, columns=measured
    )
    found = edges.pivot(index="changed", columns="measured", values="survives").reindex_like(share)
    draw_matrix(
        axes,
        np.clip(share.to_numpy(dtype=float), -1, 2),
        rows=[task_label(name) for name in changed],
        columns=[task_label(name) for name in measured],
        low=0.0,
        high=1.0,
        label="share",
        marked=found.to_numpy() == 1,
    )
    n = int(edges.drop_duplicates("measured")["n"].sum())
    axes.set_title(
        f"direction exchanged (row), share of a task's effect that goes (* edge)\nn = {n} pairs", fontsize=9
    )


def _prompts(axes: Axes, plain: pd.DataFrame, carried: pd.DataFrame, tasks: list[str]) -> None:
    """The sentence that takes the constraint back, beside the one direction."""
    back = plain[plain["sentence"] == TAKEN_BACK] if len(plain) else plain
    if back.empty:
        axes.axis("off")
        say_why(axes, "no prompt begins with its unconstrained counterpart")
        return
    order = [name for name in tasks if name in set(back["task"])]
    rows, place = back.set_index("task").loc[order], np.arange(len(order))
    axes.hlines(place, rows["low"], rows["high"], color="black", linewidth=1.0)
    axes.plot(rows["share"], place, "o", color="black", label="taken back by a sentence")
    one = carried.set_index("task")["share"].reindex(order)
    axes.plot(one, place, "x", color="#D55E00", label="one direction, at its layer")
    axes.axvline(0.0, color="black", linewidth=0.6)
    axes.set_yticks(place, [task_label(name) for name in order])
    axes.invert_yaxis()
    axes.set_xlabel("share of the prompt's effect (95 %)")
    axes.set_title(f"a plain prompt; n = {int(rows['n'].sum())} pairs", fontsize=9)
    legend_below(axes, columns=1)
