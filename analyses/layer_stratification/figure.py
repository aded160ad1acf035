"""The figure of layer stratification: layer curves family by family, and the depth at which tasks emerge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.shared.both_labels import COUNTERFACTUAL, NATURAL, of_labels, why_none
from if_circuits.analyses.shared.families import families_of
from if_circuits.analyses.shared.layer_axis import layer_axis, marker_step
from if_circuits.plotting.families import task_looks
from if_circuits.plotting.style import legend_below, new_mosaic, say_why, task_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LABELS = (NATURAL, COUNTERFACTUAL)


def draw(result: AnalysisResult, *, families: Sequence[str]) -> Figure:
    """Two rows of curves, one a kind of labels, with a panel for each family; below, where tasks emerge."""
    scored = result.table[result.table["reason"] == ""] if "emergence" in result.tables else result.table[:0]
    family_of = families_of(result.table)
    looks = task_looks(family_of)
    names = list(families_of(scored))
    shown = list(dict.fromkeys([*families, *(family_of[name] for name in names)]))
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
            own = rows[rows["family"] == family]
            _curves(place, own, {name: looks[name] for name in names})
            if own.empty:
                say_why(place, why_none(result.table, labels, family))
            place.set_ylim(*reach)
            place.set_title(f"{family}, {labels}", fontsize=9)
        axes[f"{labels} {shown[0]}"].set_ylabel("AUROC (95 % band)")
    in_order = sorted(names, key=lambda name: shown.index(family_of[name]))
    colours = {f"{task_label(name)} ({family_of[name]})": (name, looks[name]["color"]) for name in in_order}
    _emergence(axes["emergence"], result.tables["emergence"], colours)
    verdict = result.verdict
    low, high = verdict.interval
    drawing.suptitle(
        f"Trend over families: tau {verdict.effect:+.2f} [{low:+.2f}, {high:+.2f}], p = {verdict.p:.2g}: "
        f"{verdict.verdict} (natural labels, {verdict.n} base queries, last token)",
        fontsize=9,
    )
    return drawing


def _curves(axes: Axes, scores: pd.DataFrame, looks: Mapping[str, Mapping[str, Any]]) -> None:
    for name, look in looks.items():
        found = scores[scores["task"] == name].sort_values("layer")
        if found.empty:
            continue
        line: dict[str, Any] = {**look, "label": task_label(name), "markevery": marker_step(len(found))}
        axes.plot(found["layer"], found["auroc"], **line)
        axes.fill_between(
            found["layer"].astype(float), found["low"], found["high"], color=look["color"], alpha=0.13
        )
    axes.axhline(0.5, color="black", linewidth=0.6)
    layers = scores["layer"].dropna()
    layer_axis(axes, layers, fontsize=7)
    if layers.empty:
        return
    axes.set_xlabel(f"layer; n = {int(scores.drop_duplicates('task')['n'].sum())}")
    legend_below(axes, columns=1)


def _emergence(axes: Axes, table: pd.DataFrame, rows_of: Mapping[str, tuple[str, str]]) -> None:
    """Depth of each task with its interval; a task that is readable at no layer stands at the right.

    `rows_of` has each row's label with its task and colour.
    """
    in_order, colours = [name for name, _ in rows_of.values()], [colour for _, colour in rows_of.values()]
    for labels, shift in ((NATURAL, -0.17), (COUNTERFACTUAL, 0.17)):
        rows = of_labels(table, labels).set_index("task").reindex(in_order)
        for place, (colour, row) in enumerate(zip(colours, rows.to_dict("records"), strict=True)):
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
    axes.set_yticks(range(len(in_order)), list(rows_of))
    axes.set_ylim(len(in_order) - 0.5, -0.5)
    axes.set_xlabel("depth of emergence (0: embed, 1: last block; ticks: ends of the 95 % interval)")
    axes.set_title(
        "Emergence (filled: natural, hollow: counterfactual labels; a bare tick: every resample agrees)",
        fontsize=9,
    )
