"""The figure of temporal dynamics: probe and words along the response, their difference, and task by task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.both_labels import COUNTERFACTUAL, NATURAL, of_labels
from if_circuits.report.style import (
    CONTRAST,
    CONTROL,
    EFFECT,
    new_figure,
    ordered_tasks,
    position_label,
    task_label,
    task_line,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {NATURAL: EFFECT, COUNTERFACTUAL: CONTRAST}


def draw(result: AnalysisResult) -> Figure:
    """Above, means over tasks and the probe's advantage over words; below, task by task."""
    drawing, (curves, advantage, natural, counterfactual) = new_figure(2, 2, width=11.5, height=8.0)
    if "means" not in result.tables:
        return drawing
    positions = list(dict.fromkeys(result.tables["means"]["position"]))
    _means(curves, result, positions)
    _advantage(advantage, result, positions)
    scored = result.table[(result.table["reason"] == "") & (result.table["probe"] == "specialist")]
    names = ordered_tasks(scored["task"].tolist())
    for axes, labels in ((natural, NATURAL), (counterfactual, COUNTERFACTUAL)):
        _tasks(axes, of_labels(scored, labels), names, positions)
        axes.set(ylabel="AUROC of the probe", title=f"Task by task, {labels} labels")
    counterfactual.sharey(natural)
    drawing.legend(*natural.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    for axes in (curves, natural, counterfactual):
        axes.axhline(0.5, color="black", linewidth=0.6)
    verdict = result.verdict
    low, high = verdict.interval
    drawing.suptitle(
        f"Growth of the probe's advantage over words {verdict.effect:+.3f} [{low:+.3f}, {high:+.3f}]: "
        f"{verdict.verdict} (natural labels, {verdict.n} base queries)",
        fontsize=9,
    )
    return drawing


def _means(axes: Axes, result: AnalysisResult, positions: list[str]) -> None:
    """Both kinds of labels; the places and survivors below are those of natural responses."""
    for labels, colour in _COLOURS.items():
        means = of_labels(result.tables["means"], labels)
        for probe, line, what in (("specialist", "-", "probe"), ("text", ":", "words of the same prefix")):
            found = means[means["probe"] == probe].set_index("position").reindex(positions)
            shade = colour if probe == "specialist" or labels == COUNTERFACTUAL else CONTROL
            _band(axes, found, "auroc", color=shade, linestyle=line, label=f"{what}, {labels}")
    survivors = of_labels(result.tables["survivors"], NATURAL).groupby("position")
    alive, read = survivors["survivors"].sum(), survivors["mean_tokens_read"].mean()
    ticks = [f"{position_label(at)}\n{read[at]:.0f}\n{alive[at]}" for at in positions]
    axes.set_xticks(range(len(positions)), ticks, fontsize=6.5)
    axes.set(
        xlabel="position; mean response tokens read; responses that have it",
        ylabel="AUROC, mean over tasks (95 % band)",
        title="Activations against words",
    )
    axes.legend(fontsize=7)


def _advantage(axes: Axes, result: AnalysisResult, positions: list[str]) -> None:
    for labels, colour in _COLOURS.items():
        found = of_labels(result.tables["advantage_by_position"], labels).set_index("position")
        n = int(found["n"].max()) if len(found) else 0
        _band(axes, found.reindex(positions), "advantage", color=colour, label=f"{labels}, n = {n} at most")
    axes.axhline(0.0, color="black", linewidth=0.6)
    axes.set_xticks(range(len(positions)), [position_label(at) for at in positions], fontsize=6.5)
    axes.set(
        xlabel="position",
        ylabel="AUROC, probe minus words (95 % band)",
        title="The probe's advantage over words",
    )
    axes.legend(fontsize=7)


def _tasks(axes: Axes, probed: pd.DataFrame, names: list[str], positions: list[str]) -> None:
    for task in names:
        found = probed[probed["task"] == task].set_index("position")["auroc"].reindex(positions)
        line: dict[str, Any] = {**task_line(task), "label": task_label(task)}
        axes.plot(range(len(positions)), found, **line)
    axes.set_xticks(range(len(positions)), [position_label(at) for at in positions], fontsize=6.5)
    axes.set_xlabel("position")


def _band(axes: Axes, found: pd.DataFrame, column: str, **look: Any) -> None:
    places = range(len(found))
    axes.plot(places, found[column], marker="o", **look)
    axes.fill_between(places, found["low"], found["high"], color=look["color"], alpha=0.18)
