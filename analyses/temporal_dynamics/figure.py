"""The figure of temporal dynamics: probe and words along the response, their difference, and task by task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.shared.both_labels import COUNTERFACTUAL, NATURAL, of_labels, why_none
from if_circuits.analyses.shared.families import families_of
from if_circuits.plotting.families import task_looks
from if_circuits.plotting.style import (
    CONTRAST,
    CONTROL,
    EFFECT,
    legend_below,
    new_mosaic,
    position_label,
    say_why,
    task_label,
)
from if_circuits.tasks.registry import FAMILIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {NATURAL: EFFECT, COUNTERFACTUAL: CONTRAST}
_PROBES = (("specialist", "-", "probe"), ("text", ":", "words of the same prefix"))


def draw(result: AnalysisResult) -> Figure:
    """Above, means over tasks by relative and by absolute position, the probe's advantage over words and the
    responses that have each position; below, task by task on both kinds of labels.
    """
    scored = result.table[(result.table["reason"] == "") & (result.table.get("probe") == "specialist")]
    family_of = families_of(result.table)
    looks = {name: look for name, look in task_looks(family_of).items() if name in set(scored["task"])}
    families = list(dict.fromkeys([*FAMILIES, *(family_of[name] for name in looks)]))
    drawing, axes = _panels(families)
    if "means" not in result.tables:
        return drawing
    positions = list(dict.fromkeys(result.tables["means"]["position"]))
    _relative(axes["relative"], result, positions)
    _absolute(axes["absolute"], result, positions)
    _advantage(axes["advantage"], result, positions)
    _survivors(axes["survivors"], result.tables["survivors"], positions)
    reach = (scored["low"].min() - 0.02, max(1.02, scored["high"].max()))
    for labels in _COLOURS:
        rows = of_labels(scored, labels)
        for family in families:
            place = axes[f"{labels} {family}"]
            own = rows[rows["family"] == family]
            _tasks(place, own, looks, positions)
            if own.empty:
                say_why(place, why_none(result.table, labels, family))
            place.set_ylim(*reach)
            place.set_title(f"{family}, {labels}", fontsize=9)
        axes[f"{labels} {families[0]}"].set_ylabel("AUROC of the probe (95 % band)")
    verdict = result.verdict
    low, high = verdict.interval
    drawing.suptitle(
        f"Growth of the probe's advantage over words {verdict.effect:+.3f} [{low:+.3f}, {high:+.3f}]: "
        f"{verdict.verdict} (natural labels, {verdict.n} base queries)",
        fontsize=9,
    )
    return drawing


def _panels(families: Sequence[str]) -> tuple[Figure, dict[str, Axes]]:
    half = len(families) * 2
    layout = [
        ["relative"] * half + ["absolute"] * half,
        ["advantage"] * half + ["survivors"] * half,
        *([f"{labels} {family}" for family in families for _ in range(4)] for labels in _COLOURS),
    ]
    return new_mosaic(layout, width=10.5, height=14.0, height_ratios=(1.15, 0.85, 1, 1))


def _relative(axes: Axes, result: AnalysisResult, positions: list[str]) -> None:
    for labels, probe, look in _lines():
        found = _of(result.tables["means"], labels, probe, positions)
        _band(axes, np.arange(len(positions)), found, "auroc", **look)
    _position_ticks(axes, positions)
    axes.axhline(0.5, color="black", linewidth=0.6)
    axes.set_ylabel("AUROC, mean over tasks (95 % band)")
    axes.set_title("Activations against words, relative position", fontsize=9)
    legend_below(axes, columns=2, lines=2)


def _absolute(axes: Axes, result: AnalysisResult, positions: list[str]) -> None:
    """The same means over the mean place in the sequence, which does not know how long the response is.

    Without `eos`: only responses that ended have it, and these are the shorter ones.
    """
    positions = [position for position in positions if position != "eos"]
    for labels, probe, look in _lines():
        found = _of(result.tables["means"], labels, probe, positions)
        read = of_labels(result.tables["survivors"], labels).groupby("position")["mean_tokens_read"].mean()
        _band(axes, read.reindex(positions).to_numpy(dtype=np.float64), found, "auroc", **look)
    index = of_labels(result.tables["survivors"], NATURAL).groupby("position")["mean_index"].mean()
    axes.axhline(0.5, color="black", linewidth=0.6)
    start, end = index.get(positions[0], np.nan), index.get(positions[-1], np.nan)
    axes.set_xlabel(
        f"mean response tokens read (mean index in the sequence: {start:.1f} to {end:.1f})", fontsize=8
    )
    axes.set_title("The same by absolute position", fontsize=9)


def _advantage(axes: Axes, result: AnalysisResult, positions: list[str]) -> None:
    for labels, colour in _COLOURS.items():
        found = of_labels(result.tables["advantage_by_position"], labels).set_index("position")
        if found.empty:
            continue
        label = f"{labels}, n = {int(found['n'].max())} responses at most"
        places = np.arange(len(positions))
        _band(axes, places, found.reindex(positions), "advantage", color=colour, label=label)
    axes.axhline(0.0, color="black", linewidth=0.6)
    _position_ticks(axes, positions)
    axes.set_ylabel("AUROC difference (95 % band)")
    axes.set_title("The probe's advantage: probe minus words", fontsize=9)
    legend_below(axes, columns=2, lines=2)


def _survivors(axes: Axes, table: pd.DataFrame, positions: list[str]) -> None:
    """How many responses have each position; one that has it is scored, the rest leave it."""
    for labels, colour in _COLOURS.items():
        rows = of_labels(table, labels)
        if rows.empty:
            continue
        alive = rows.groupby("position")["survivors"].sum().reindex(positions)
        mark = "o" if labels == NATURAL else "s"
        axes.plot(range(len(positions)), alive, mark + "-", color=colour, label=labels)
        counts = alive.tolist()
        for place, count in enumerate(counts):
            if place == 0 or count != counts[place - 1]:
                where: dict[str, Any] = {"xytext": (0, 5), "textcoords": "offset points", "ha": "center"}
                axes.annotate(f"{count:.0f}", (place, count), color=colour, fontsize=7, **where)
    _position_ticks(axes, positions)
    axes.set_ylim(0, 1.2 * table.groupby(["labels", "position"])["survivors"].sum().max())
    axes.set_ylabel("responses")
    axes.set_title("Responses that have the position, all tasks", fontsize=9)
    legend_below(axes, columns=2, lines=2)


def _tasks(
    axes: Axes, probed: pd.DataFrame, looks: Mapping[str, Mapping[str, Any]], positions: list[str]
) -> None:
    for task, own in looks.items():
        found = probed[probed["task"] == task].set_index("position").reindex(positions)
        if found["auroc"].notna().any():
            look: dict[str, Any] = {**own, "label": task_label(task)}
            _band(axes, np.arange(len(positions)), found, "auroc", **look)
    axes.axhline(0.5, color="black", linewidth=0.6)
    _position_ticks(axes, positions, every=2)
    if not probed.empty:
        n = probed.groupby("task")["n"].max().sum()
        axes.set_xlabel(f"position; n = {n:.0f}")
        legend_below(axes, columns=1, lines=2)


def _lines() -> list[tuple[str, str, dict[str, Any]]]:
    """Kind of labels, reader and look of each line of means."""
    return [
        (
            labels,
            probe,
            {
                "color": CONTROL if (labels, probe) == (NATURAL, "text") else colour,
                "linestyle": line,
                "label": f"{what}, {labels}",
            },
        )
        for labels, colour in _COLOURS.items()
        for probe, line, what in _PROBES
    ]


def _of(means: pd.DataFrame, labels: str, probe: str, positions: list[str]) -> pd.DataFrame:
    rows = of_labels(means, labels)
    return rows[rows["probe"] == probe].set_index("position").reindex(positions)


def _position_ticks(axes: Axes, positions: list[str], *, every: int = 1) -> None:
    names = [position_label(at).replace(" ", "\n") for at in positions]
    axes.set_xticks(range(0, len(positions), every), names[::every], fontsize=7.5)
    axes.set_xlabel("position")


def _band(
    axes: Axes, places: np.ndarray[Any, np.dtype[Any]], found: pd.DataFrame, column: str, **look: Any
) -> None:
    if found[column].notna().any():
        line: dict[str, Any] = {"marker": "o", **look}
        axes.plot(places, found[column], **line)
        axes.fill_between(places, found["low"], found["high"], color=look["color"], alpha=0.15)
