"""The figure of layer stratification: layer curves family by family, and the depth at which tasks emerge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.shared.both_labels import COUNTERFACTUAL, NATURAL, of_labels
from if_circuits.plotting.style import (
    family_of,
    layer_label,
    new_mosaic,
    ordered_tasks,
    task_colour,
    task_label,
    task_line,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LABELS = (NATURAL, COUNTERFACTUAL)


def draw(result: AnalysisResult, *, families: Sequence[str]) -> Figure:
    """Two rows of curves, one a kind of labels, with a panel for each family; below, where tasks emerge."""
    scored = result.table[result.table["reason"] == ""] if "emergence" in result.tables else result.table[:0]
    names = ordered_tasks(scored["task"].tolist())
    shown = [*families, *dict.fromkeys(family_of(name) for name in names if family_of(name) not in families)]
    layout = [[f"{labels} {family}" for family in shown] for labels in _LABELS]
    layout.append(["emergence"] * len(shown))
    drawing, axes = new_mosaic(layout, width=10.0, height=9.0, height_ratios=(1, 1, 1.25))
    if not names:
        return drawing
    reach = (scored["low"].min() - 0.02, max(1.02, scored["high"].max()))
    for labels in _LABELS:
        rows = of_labels(scored, labels)
        for family in shown:
            place = axes[f"{labels} {family}"]
            _curves(place, rows[rows["task"].map(family_of) == family], names)
            place.set_ylim(*reach)
            place.set_title(f"{family}, {labels}", fontsize=9)
        axes[f"{labels} {shown[0]}"].set_ylabel("AUROC (95 % band)")
    _emergence(axes["emergence"], result.tables["emergence"], names, shown)
    verdict = result.verdict
    low, high = verdict.interval
    drawing.suptitle(
        f"Trend over families: tau {verdict.effect:+.2f} [{low:+.2f}, {high:+.2f}], p = {verdict.p:.2g}: "
        f"{verdict.verdict} (natural labels, {verdict.n} base queries, last token)",
        fontsize=9,
    )
    return drawing


def _curves(axes: Axes, scores: pd.DataFrame, names: list[str]) -> None:
    for name in names:
        found = scores[scores["task"] == name].sort_values("layer")
        if found.empty:
            continue
        line: dict[str, Any] = {**task_line(name), "label": task_label(name)}
        axes.plot(found["layer"], found["auroc"], **line)
        axes.fill_between(
            found["layer"].astype(float), found["low"], found["high"], color=task_colour(name), alpha=0.13
        )
    axes.axhline(0.5, color="black", linewidth=0.6)
    layers = sorted(scores["layer"].dropna().unique())
    if not layers:
        axes.text(0.5, 0.5, "no labels of this kind", transform=axes.transAxes, ha="center", va="bottom")
        axes.set_xticks([])
        return
    # More than about eight names do not fit a small panel.
    kept = layers[:: -(-len(layers) // 8)]
    axes.set_xticks(kept, [layer_label(int(layer)) for layer in kept], fontsize=7)
    axes.set_xlabel(f"layer; n = {int(scores.drop_duplicates('task')['n'].sum())}")
    axes.legend(fontsize=7, loc="best")


def _emergence(axes: Axes, table: pd.DataFrame, names: list[str], families: Sequence[str]) -> None:
    """Depth of each task with its interval; a task that is readable at no layer stands at the right."""
    in_order = sorted(names, key=lambda name: families.index(family_of(name)))
    for labels, shift in ((NATURAL, -0.17), (COUNTERFACTUAL, 0.17)):
        rows = of_labels(table, labels).set_index("task").reindex(in_order)
        for place, (name, row) in enumerate(zip(in_order, rows.to_dict("records"), strict=True)):
            colour = task_colour(name)
            look: dict[str, Any] = {
                "color": colour,
                "markerfacecolor": "white" if labels == COUNTERFACTUAL else colour,
                "markersize": 7,
            }
            if np.isfinite(row["depth"]):
                error = [[row["depth"] - row["low"]], [row["high"] - row["depth"]]]
                axes.errorbar(
                    row["depth"], place + shift, xerr=error, fmt="o", capsize=4, linewidth=1.4, **look
                )
                # Also where the interval is one layer wide and its ends coincide.
                axes.plot([row["low"], row["high"]], [place + shift] * 2, "|", color=colour, markersize=11)
            elif row["layer"] == "never":
                axes.plot(1.12, place + 1.4 * shift, "X", clip_on=False, **look)
    axes.axvline(1.06, color="black", linewidth=0.6)
    ticks = [0, 0.25, 0.5, 0.75, 1.0]
    axes.set_xticks([*ticks, 1.12], [*(f"{tick:g}" for tick in ticks), "never"])
    axes.set_xlim(-0.04, 1.18)
    axes.set_yticks(range(len(in_order)), [f"{task_label(name)} ({family_of(name)})" for name in in_order])
    axes.set_ylim(len(in_order) - 0.5, -0.5)
    axes.set_xlabel("depth of emergence (0: embed, 1: last block; ticks: ends of the 95 % interval)")
    axes.set_title(
        "Emergence (filled: natural, hollow: counterfactual labels; a bare tick: every resample agrees)",
        fontsize=9,
    )
