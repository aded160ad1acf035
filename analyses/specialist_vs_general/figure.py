"""The figure of specialist against general probes: layer curves, and both probes task by task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.shared.both_labels import COUNTERFACTUAL, NATURAL, of_labels
from if_circuits.analyses.shared.families import families_of
from if_circuits.analyses.shared.layer_axis import layer_axis, marker_step
from if_circuits.plotting.style import (
    CONTRAST,
    CONTROL,
    EFFECT,
    OKABE_ITO,
    legend_below,
    new_mosaic,
    task_label,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOOKS = {
    "specialist": (EFFECT, "-", "o", "specialist"),
    "general": (CONTRAST, "-", "s", "general, equal total"),
    "general_all": (CONTRAST, "--", "D", "general, all examples"),
    "leave_one_out": (OKABE_ITO["orange"], ":", "^", "general, task left out"),
    "text": (CONTROL, "-.", "", "words only"),
}
_TITLES = {NATURAL: "Natural labels, last token", COUNTERFACTUAL: "Counterfactual labels, last token"}


def draw(result: AnalysisResult) -> Figure:
    """Layer curves at `last` on both kinds of labels, and both probes task by task."""
    layout = ((NATURAL, COUNTERFACTUAL), ("legend", "legend"), ("tasks", "tasks"))
    drawing, axes = new_mosaic(layout, width=9.5, height=9.2, height_ratios=(1, 0.07, 1.05))
    axes["legend"].set_axis_off()
    natural, counterfactual, tasks = axes[NATURAL], axes[COUNTERFACTUAL], axes["tasks"]
    if "means" not in result.tables:
        return drawing
    natural.sharey(counterfactual)
    for labels in _TITLES:
        _curves(axes[labels], result, labels)
    natural.set_ylabel("AUROC, mean over tasks (95 % band)")
    _task_by_task(tasks, result)
    lines, names = natural.get_legend_handles_labels()
    axes["legend"].legend(lines, names, loc="center", ncols=len(names), fontsize=7.5)
    verdict = result.verdict
    low, high = verdict.interval
    reported = of_labels(result.tables["cross_fitted"], NATURAL)
    responses = int(reported.loc[reported["probe"] == "specialist", "n"].sum())
    drawing.suptitle(
        f"Specialist minus general {verdict.effect:+.3f} [{low:+.3f}, {high:+.3f}]: {verdict.verdict} "
        f"(natural labels, {verdict.n} base queries, {responses} responses)",
        fontsize=9,
    )
    return drawing


def _curves(axes: Axes, result: AnalysisResult, labels: str) -> None:
    means = of_labels(result.tables["means"], labels)
    last = means[means["position"] == "last"]
    for probe, (colour, line, marker, label) in _LOOKS.items():
        found = last[last["probe"] == probe].sort_values("layer")
        if found.empty:
            continue
        if probe == "text":
            axes.axhline(found["auroc"].iloc[0], color=colour, linestyle=line, label=label)
            continue
        look: dict[str, Any] = {"color": colour, "linestyle": line, "marker": marker, "label": label}
        axes.plot(found["layer"], found["auroc"], markevery=marker_step(len(found)), **look)
        axes.fill_between(found["layer"].astype(float), found["low"], found["high"], color=colour, alpha=0.15)
    layer_axis(axes, last["layer"].dropna())
    axes.axhline(0.5, color="black", linewidth=0.6)
    # The words are on no layer; the tasks and responses are those of any line.
    n_tasks, n = last[["n_tasks", "n"]].max() if len(last) else (0, 0)
    axes.set_xlabel(f"layer (residual stream); {n_tasks:.0f} tasks, n = {n:.0f}")
    axes.set_title(_TITLES[labels], fontsize=9)


def _task_by_task(axes: Axes, result: AnalysisResult) -> None:
    """Each task's two probes; * where their difference is significant over the tasks."""
    reported, differences = result.tables["cross_fitted"], result.tables["differences"]
    names = list(families_of(reported))
    rows = (
        (NATURAL, "specialist", -0.24, None),
        (NATURAL, "general", -0.08, None),
        (COUNTERFACTUAL, "specialist", 0.08, "white"),
        (COUNTERFACTUAL, "general", 0.24, "white"),
    )
    for labels, probe, shift, face in rows:
        colour, _, marker, _ = _LOOKS[probe]
        found = of_labels(reported, labels)
        found = found[found["probe"] == probe].set_index("task").reindex(names)
        axes.errorbar(
            found["auroc"],
            np.arange(len(names)) + shift,
            xerr=[found["auroc"] - found["low"], found["high"] - found["auroc"]],
            fmt=marker,
            color=colour,
            markerfacecolor=face or colour,
            linewidth=0.9,
            capsize=2,
            label=f"{probe}, {labels}",
        )
    differs = {
        labels: set(of_labels(differences, labels).query("p_holm < 0.05")["task"])
        for labels in (NATURAL, COUNTERFACTUAL)
    }
    marks = {
        name: "*" * (name in differs[NATURAL]) + "\u2020" * (name in differs[COUNTERFACTUAL])
        for name in names
    }
    axes.set_yticks(range(len(names)), [f"{task_label(name)} {marks[name]}".strip() for name in names])
    axes.invert_yaxis()
    axes.axvline(0.5, color="black", linewidth=0.6)
    axes.set_xlabel("AUROC at the chosen layers (95 % interval)")
    axes.set_title(
        "Task by task (probes differ, Holm 5 %: * on natural, \u2020 on counterfactual labels)", fontsize=9
    )
    legend_below(axes, columns=4, size=7.5)
