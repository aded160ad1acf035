"""The panels of causal ablation that need the model: own removals, damage, rebuilding, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from if_circuits.analyses.shared.layer_axis import layer_axis, marker_step
from if_circuits.models.layers import layer_label
from if_circuits.plotting.style import CONTROL, EFFECT, legend_below, log_axis, task_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIGNIFICANT, _NOT = "full", "none"


def draw_own(axes: Axes, cells: pd.DataFrame, *, alpha: float = 0.05) -> None:
    """Compliance of each task, intact, under its own removal and under matched random directions."""
    own = cells[cells["ablated"] == cells["measured"]].set_index("measured")
    tasks = own.index.tolist()[::-1]
    own, y = own.loc[tasks], np.arange(len(tasks))
    intact = own["score_above_floor"]
    control = intact - own["drop_variance_matched"]
    # The interval is that of the drop beyond control, drawn from the control down to what is left.
    bars = [(own["excess"] - own["low"]).clip(lower=0), (own["high"] - own["excess"]).clip(lower=0)]
    axes.plot(intact, y + 0.2, "|", color="black", markersize=10, label="intact")
    axes.plot(control, y - 0.2, "s", color=CONTROL, label="random, matched")
    significant = (own["p"] <= alpha).to_numpy()
    for fill, rows in ((_SIGNIFICANT, significant), (_NOT, ~significant)):
        if rows.any():
            axes.errorbar(
                own["after"][rows],
                y[rows],
                xerr=[bar[rows].fillna(0) for bar in bars[::-1]],
                fmt="o",
                capsize=2,
                color=EFFECT,
                fillstyle=fill,
                label=f"removal, p {'≤' if fill == _SIGNIFICANT else '>'} {alpha:g}",
            )
    axes.set_yticks(y, [task_label(task) for task in tasks])
    axes.set(xlim=(-0.05, 1.1), xlabel="compliance")
    legend_below(axes)
    axes.set_title(f"Own removals in behaviour (n = {int(own['n'].max())} prompts a task)", fontsize=9)


def draw_damage(axes: Axes, damage: pd.DataFrame) -> None:
    """Divergence on neutral text under each removal, against the means of random directions."""
    removed = damage[damage["condition"] == "removed"].set_index("ablated")
    tasks = removed.index.tolist()[::-1]
    removed, y = removed.loc[tasks], np.arange(len(tasks))
    bars = [removed["kl"] - removed["low"], removed["high"] - removed["kl"]]
    axes.errorbar(removed["kl"], y, xerr=bars, fmt="o", capsize=2, color=EFFECT, label="removal")
    for kind, mark, colour in (("gaussian", "x", CONTROL), ("variance_matched", "s", CONTROL)):
        rows = damage[damage["condition"] == kind].set_index("ablated").loc[tasks]
        axes.plot(rows["kl"], y, mark, color=colour, label=f"random, {kind.replace('_', '-')}")
    axes.set_yticks(y, [task_label(task) for task in tasks])
    log_axis(axes)
    axes.set_xlabel("divergence from the intact model (nats a token)")
    legend_below(axes)
    n = int(removed["n_texts"].max()) if len(removed) else 0
    axes.set_title(f"Damage on neutral text (n = {n} texts)", fontsize=9)


def draw_rebuilt(axes: Axes, rebuilt: pd.DataFrame, looks: Mapping[str, Mapping[str, Any]]) -> None:
    """AUROC at and above the ablated layer, ablated against intact."""
    axes.axhline(0.5, color=CONTROL, linestyle="--", linewidth=1)
    tasks = [task for task in looks if task in set(rebuilt["task"])] if len(rebuilt) else []
    for i, task in enumerate(tasks):
        rows = rebuilt[rebuilt["task"] == task]
        x = rows["layer_probed"] + 0.05 * (i - (len(tasks) - 1) / 2)
        style, every = looks[task], marker_step(len(rows))
        bars = [rows["auroc_ablated"] - rows["low"], rows["high"] - rows["auroc_ablated"]]
        axes.errorbar(
            x,
            rows["auroc_ablated"],
            yerr=bars,
            capsize=1.5,
            elinewidth=0.7,
            label=task_label(task),
            color=style["color"],
            marker=style["marker"],
            linestyle=style["linestyle"],
            markevery=every,
            errorevery=every,
        )
        look: dict[str, Any] = {"marker": "_", "linestyle": "", "color": style["color"], "alpha": 0.6}
        axes.plot(x, rows["auroc_intact"], markevery=every, **look)
    if tasks:
        layer_axis(axes, rebuilt["layer_probed"])
        legend_below(axes)
        at, n = layer_label(int(rebuilt["layer_ablated"].iloc[0])), int(rebuilt["n"].min())
        axes.set_title(f"Probes above a removal at layer {at} (dash: intact; n ≥ {n} responses)", fontsize=9)
    axes.set(xlabel="layer probed", ylabel="AUROC")


def draw_both_ways(axes: Axes, both: pd.DataFrame, looks: Mapping[str, Mapping[str, Any]]) -> None:
    """Drop by removal against gain by addition, a task a point."""
    axes.axhline(0, color=CONTROL, linewidth=1, linestyle="--")
    axes.axvline(0, color=CONTROL, linewidth=1, linestyle="--")
    known = both.dropna(subset=["removed", "added"])
    for row in known.to_dict("records"):
        style = looks[row["task"]]
        axes.errorbar(
            row["removed"],
            row["added"],
            xerr=[[row["removed"] - row["removed_low"]], [row["removed_high"] - row["removed"]]],
            yerr=[[row["added"] - row["added_low"]], [row["added_high"] - row["added"]]],
            color=style["color"],
            marker=style["marker"],
            linestyle="",
            elinewidth=0.7,
            label=task_label(row["task"]),
        )
    if len(known):
        legend_below(axes)
    axes.set(
        xlabel="drop by removal, beyond random directions", ylabel="gain by addition,\nbeyond random steps"
    )
    n = int(known["n"].sum()) if len(known) else 0
    axes.set_title(f"Both ways (gain: n = {n} failing responses)", fontsize=9)
