"""The figure of cross-task transfer: a clustered matrix on each kind of labels, and its cells by kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.shared.both_labels import COUNTERFACTUAL, NATURAL, of_labels
from if_circuits.analyses.shared.families import families_of
from if_circuits.plotting.clustering import draw_tree, leaf_order, linkage_of
from if_circuits.plotting.families import family_colours
from if_circuits.plotting.style import CONTRAST, DIVERGING, EFFECT, draw_matrix, legend_below, new_mosaic
from if_circuits.statistics.bootstrap import cluster_bootstrap, weighted_mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_KINDS = ("own task", "same family", "other family")
_LAYOUT = (("tree", "."), (NATURAL, COUNTERFACTUAL), ("kinds", "kinds"))


def draw(result: AnalysisResult) -> Figure:
    """The matrix on each kind of labels, in the order that natural ones cluster; and its cells by kind."""
    drawing, axes = new_mosaic(_LAYOUT, width=10.5, height=9.2, height_ratios=(0.16, 1.0, 0.62))
    if "families" not in result.tables:
        return drawing
    scored = result.table[result.table["reason"] == ""]
    cells = of_labels(scored, NATURAL)
    # Where no task has enough natural violations, the order is that of counterfactual labels.
    ordered = cells if len(cells) else of_labels(scored, COUNTERFACTUAL)
    tasks = list(dict.fromkeys(ordered["task"]))
    values = _wide(ordered, tasks, "auroc")
    family_of = families_of(result.table)
    tree = linkage_of((values + values.T) / 2)
    names = [tasks[place] for place in leaf_order(tree)]
    draw_tree(axes["tree"], tree)
    axes["tree"].set_title("Natural labels (* off the diagonal: not 0.5, FDR 5 %)", fontsize=9)
    _draw_cells(axes[NATURAL], cells, names, family_of, label="")
    _draw_cells(axes[COUNTERFACTUAL], of_labels(scored, COUNTERFACTUAL), names, family_of, label="AUROC")
    axes[COUNTERFACTUAL].set_title("Counterfactual labels, same order (empty: no pairs)", fontsize=9, pad=12)
    _kinds(axes["kinds"], scored, result.tables["families"])
    verdict = result.verdict
    low, high = verdict.interval
    responses = int(cells.loc[cells["train_task"] == cells["task"], "n"].sum())
    ratio = f"Transfer ratio {verdict.effect:.2f} [{low:.2f}, {high:.2f}]"
    if np.isnan(verdict.effect):
        ratio = "No transfer ratio, since the diagonal is not above chance"
    drawing.suptitle(
        f"{ratio}: {verdict.verdict} "
        f"(natural labels, {verdict.n} base queries, {responses} responses, last token)",
        fontsize=9,
    )
    return drawing


def _wide(cells: pd.DataFrame, names: list[str], column: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    wide = cells.pivot(index="train_task", columns="task", values=column)
    return wide.reindex(index=names, columns=names).to_numpy(dtype=np.float64)


def _draw_cells(
    axes: Axes, cells: pd.DataFrame, names: list[str], family_of: Mapping[str, str], *, label: str
) -> None:
    """One matrix of transfer; tasks without a cell stay empty."""
    draw_matrix(
        axes,
        _wide(cells, names, "auroc"),
        rows=names,
        columns=names,
        low=0.0,
        high=1.0,
        colours=DIVERGING,
        label=label,
        marked=_wide(cells, names, "p_adjusted") < 0.05,
    )
    _family_bars(axes, names, family_of)
    axes.set(xlabel=f"tested on (n = {int(cells.drop_duplicates('task')['n'].sum())})", ylabel="trained on")


def _kinds(axes: Axes, scored: pd.DataFrame, families: pd.DataFrame) -> None:
    """Every cell by kind, and the mean of each kind with its interval over the tasks trained on."""
    rng = np.random.default_rng(0)
    for labels, colour, shift in ((NATURAL, EFFECT, -0.2), (COUNTERFACTUAL, CONTRAST, 0.2)):
        cells = of_labels(scored, labels)
        own = cells["train_task"] == cells["task"]
        alike = cells["within_family"].astype(bool)
        for place, chosen in enumerate((own, alike & ~own, ~alike)):
            found = cells[chosen]
            if found.empty:
                continue
            values = found["auroc"].to_numpy(dtype=np.float64)
            spread = rng.uniform(-0.09, 0.09, size=len(values))
            axes.scatter(place + shift + spread, values, s=12, color=colour, alpha=0.4, linewidths=0)
            _mean_with_interval(axes, place + shift + 0.14, values, found["train_task"], colour)
        gap = of_labels(families, labels)
        told = ""
        if len(gap) and np.isfinite(gap["difference"].iloc[0]):
            row = gap.iloc[0]
            told = (
                f": same minus other family {row['difference']:+.3f} "
                f"[{row['low']:+.3f}, {row['high']:+.3f}], p = {row['p']:.2g}"
            )
        if len(cells):
            axes.plot([], [], "o", color=colour, label=f"{labels}{told}")
    axes.axhline(0.5, color="black", linewidth=0.6)
    axes.set_xticks(range(len(_KINDS)), list(_KINDS))
    axes.set_xlim(-0.5, len(_KINDS) - 0.5)
    axes.set_ylabel("AUROC of a cell")
    axes.set_title("Diamonds: mean and 95 % interval over the tasks trained on", fontsize=9)
    legend_below(axes, columns=2, size=8)


def _mean_with_interval(
    axes: Axes, place: float, values: np.ndarray[Any, np.dtype[np.float64]], trained: pd.Series, colour: str
) -> None:
    """The mean of cells; two trained tasks or fewer give it no interval."""
    mean = float(values.mean())
    error = None
    if trained.nunique() > 2:
        found = cluster_bootstrap(
            trained.to_numpy(), lambda weights: weighted_mean(values, weights), n_resamples=1000, seed=0
        )
        error = [[mean - found.low], [found.high - mean]]
    axes.errorbar(place, mean, yerr=error, fmt="D", color=colour, markeredgecolor="black", capsize=3)


def _family_bars(axes: Axes, names: list[str], family_of: Mapping[str, str]) -> None:
    """A strip in the colour of each task's family along the top and the right of a matrix."""
    colours = family_colours(family_of.values())
    for place, name in enumerate(names):
        side: dict[str, Any] = {
            "color": colours[family_of[name]],
            "linewidth": 4,
            "solid_capstyle": "butt",
            "clip_on": False,
        }
        edge = len(names) - 0.5
        axes.plot([place - 0.5, place + 0.5], [-0.62, -0.62], **side)
        axes.plot([edge + 0.12, edge + 0.12], [place - 0.5, place + 0.5], **side)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
