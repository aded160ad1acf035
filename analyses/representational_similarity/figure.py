"""The figure of representational similarity: three matrices in one clustered order, and every pair of tasks.

Directions are over their split-half ceiling, as in the verdict. PWCCA and CKA are debiased and not over a
ceiling: few tasks have one, and a value beside its test says more than an empty cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from if_circuits.analyses.base import AnalysisResult
from if_circuits.plotting.clustering import draw_tree, leaf_order, linkage_of
from if_circuits.plotting.style import (
    CONTRAST,
    CONTROL,
    DIVERGING,
    EFFECT,
    OKABE_ITO,
    draw_matrix,
    legend_below,
    new_mosaic,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MATRICES = {
    "similarity": "Directions, over ceiling",
    "pwcca": "PWCCA of paired activations, debiased",
    "cka": "CKA of paired activations, debiased",
}
_STRIPS = {
    "similarity": "directions\n(over ceiling)",
    "overlap_ratio": "INLP subspaces\n(over ceiling)",
    "pwcca": "PWCCA\n(debiased)",
    "cka": "CKA\n(debiased)",
}
_LAYOUT = (("tree", "."), ("similarity", "pwcca"), ("cka", "pairs"))
_REACH = (-0.4, 1.25)


def draw(result: AnalysisResult) -> Figure:
    """Matrices of directions, PWCCA and CKA, and every pair of tasks under each measure."""
    drawing, axes = new_mosaic(_LAYOUT, width=10.5, height=10.0, height_ratios=(0.14, 1, 1))
    table = result.table
    if table.empty:
        return drawing
    tasks = list(dict.fromkeys([*table["task_a"], *table["task_b"]]))  # pairs are in the order of the tasks
    matrices = {column: _square(table, tasks, column) for column in _MATRICES}
    tree = linkage_of(_mean_known([*matrices.values()]))
    order = leaf_order(tree)
    draw_tree(axes["tree"], tree)
    for column, title in _MATRICES.items():
        tested = f"{column}_p_adjusted"
        marked = _square(table, tasks, tested) < 0.05 if tested in table else None
        names = [tasks[place] for place in order]
        draw_matrix(
            axes[column],
            matrices[column][np.ix_(order, order)],
            rows=names,
            columns=names,
            low=-1.0,
            high=1.0,
            colours=DIVERGING,
            label="similarity",
            marked=None if marked is None else marked[np.ix_(order, order)],
        )
        axes[column].set_facecolor("0.93")
        how = "grey: not comparable" if marked is None else "* above chance, FDR 5 %"
        place = axes["tree"] if column == "similarity" else axes[column]
        place.set_title(f"{title}\n({how})", fontsize=9)
    _pairs(axes["pairs"], result)
    verdict = result.verdict
    low, high = verdict.interval
    told = f"mean of directions {verdict.effect:.3f} [{low:.3f}, {high:.3f}]: {verdict.verdict}"
    size = f"{verdict.n} base queries"
    if np.isnan(verdict.effect):
        told = f"no mean of directions: {verdict.verdict}"
    if not verdict.n:
        told, size = (
            f"{verdict.verdict}, {verdict.rule}",
            f"{int(result.tables['tasks']['n'].sum())} responses",
        )
    drawing.suptitle(
        f"Similarity of tasks: {told} (n = {size}; one order, clustered on the mean of the three)", fontsize=9
    )
    return drawing


def _square(table: pd.DataFrame, tasks: list[str], column: str) -> Float[np.ndarray, "tasks tasks"]:
    values = np.full((len(tasks), len(tasks)), np.nan)
    for a, b, value in zip(table["task_a"], table["task_b"], table[column].astype(float), strict=True):
        i, j = tasks.index(a), tasks.index(b)
        values[i, j] = values[j, i] = value
    return values


def _mean_known(
    matrices: list[Float[np.ndarray, "tasks tasks"]],
) -> Float[np.ndarray, "tasks tasks"]:
    """Mean over the measures that a pair has, each within [0, 1]; NaN where it has none."""
    clipped = np.clip(np.stack(matrices), 0.0, 1.0)
    known = np.isfinite(clipped).sum(axis=0)
    return np.where(known > 0, np.nansum(clipped, axis=0) / np.maximum(known, 1), np.nan)


def _pairs(axes: Axes, result: AnalysisResult) -> None:
    """One dot a pair, with its interval where the table has one; the verdict's mean with its interval."""
    table = result.table
    for place, column in enumerate(_STRIPS):
        for same, colour, shift in ((False, EFFECT, -0.1), (True, CONTRAST, 0.22)):
            rows = table[(table["same_family"] == same) & table[column].notna()].sort_values(column)
            if rows.empty:
                continue
            values = rows[column].astype(float).to_numpy()
            spread = place + shift + np.linspace(-0.12, 0.12, len(values) + 2)[1:-1]
            if column == "similarity":
                axes.vlines(spread, rows["low"], rows["high"], color=colour, linewidth=0.8, alpha=0.6)
            axes.plot(spread, values, "o", color=colour, alpha=0.7, markersize=3)
            axes.hlines(values.mean(), spread[0] - 0.04, spread[-1] + 0.04, color=colour, linewidth=2)
    verdict = result.verdict
    if np.isfinite(verdict.interval).all():
        bars = [[verdict.effect - verdict.interval[0]], [verdict.interval[1] - verdict.effect]]
        label = "mean of directions (verdict)"
        look: dict[str, Any] = {"color": "black", "capsize": 3, "markersize": 5}
        axes.errorbar(-0.36, verdict.effect, yerr=bars, fmt="D", label=label, **look)
    threshold: dict[str, Any] = {"color": OKABE_ITO["black"], "linestyle": "--", "linewidth": 1}
    axes.plot([-0.5, 0.5], [0.5, 0.5], label="threshold of the verdict", **threshold)
    axes.axhline(0.0, color=CONTROL, linewidth=0.6)
    axes.plot([], [], "o", color=EFFECT, label="between families")
    axes.plot([], [], "o", color=CONTRAST, label="within a family")
    axes.set_xticks(range(len(_STRIPS)), list(_STRIPS.values()), fontsize=7)
    axes.set_xlim(-0.55, len(_STRIPS) - 0.5)
    axes.set_ylim(*_REACH)
    shown = table[list(_STRIPS)].astype(float)
    outside = int(((shown < _REACH[0]) | (shown > _REACH[1])).to_numpy().sum())
    beyond = f"; {outside} beyond the axis" if outside else ""
    axes.set_ylabel("similarity")
    axes.set_title(f"Every pair of tasks (bars: means{beyond})", fontsize=9)
    legend_below(axes, columns=2, size=7.5, lines=2)
