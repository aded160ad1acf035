"""The figure of representational similarity: three matrices over their ceilings, and means within and
between families.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from if_circuits.analyses.base import AnalysisResult
from if_circuits.report.style import CONTRAST, CONTROL, EFFECT, draw_matrix, new_figure, ordered_tasks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MEASURES = {
    "similarity": "Directions",
    "overlap_ratio": "INLP subspaces",
    "pwcca_ratio": "PWCCA, paired activations",
    "cka_ratio": "CKA, paired activations",
}
_MATRICES = ("similarity", "pwcca_ratio", "cka_ratio")


def draw(result: AnalysisResult) -> Figure:
    """Matrices of directions, PWCCA and CKA, and every pair of tasks under each measure."""
    drawing, axes = new_figure(2, 2, width=10.5, height=8.6)
    for place, column in zip(axes, _MATRICES, strict=False):
        _matrix(place, result.table, column)
    _strips(axes[3], result)
    drawing.suptitle(
        f"Similarity between tasks over its split-half ceiling (n = {result.verdict.n} base queries)"
    )
    return drawing


def _matrix(axes: Axes, table: pd.DataFrame, column: str) -> None:
    tasks = ordered_tasks([*table["task_a"], *table["task_b"]])
    values = np.full((len(tasks), len(tasks)), np.nan)
    for row in table.to_dict("records"):
        a, b = tasks.index(row["task_a"]), tasks.index(row["task_b"])
        values[a, b] = values[b, a] = row[column]
    draw_matrix(axes, values.tolist(), rows=tasks, columns=tasks, low=0.0, high=1.0, label="over ceiling")
    axes.set_title(f"{_MEASURES[column]} (empty: no ceiling to compare with)", fontsize=9)


def _strips(axes: Axes, result: AnalysisResult) -> None:
    """One dot per pair; the mean of the verdict's measure with its interval."""
    table = result.table
    for place, column in enumerate(_MEASURES):
        for same, colour, shift in ((False, EFFECT, -0.12), (True, CONTRAST, 0.12)):
            values = table.loc[table["same_family"] == same, column].astype(float).dropna().to_numpy()
            if not len(values):
                continue
            spread = shift + 0.08 * np.linspace(-1, 1, len(values))
            axes.plot(place + spread, values, "o", color=colour, alpha=0.55, markersize=3)
            axes.hlines(values.mean(), place + shift - 0.1, place + shift + 0.1, color=colour, linewidth=2)
    verdict = result.verdict
    if np.isfinite(verdict.interval).all():
        bars = [[verdict.effect - verdict.interval[0]], [verdict.interval[1] - verdict.effect]]
        axes.errorbar(
            -0.32,
            verdict.effect,
            yerr=bars,
            fmt="D",
            color="black",
            capsize=3,
            label="mean of all pairs (verdict)",
        )
    axes.axhline(0.5, color=CONTROL, linestyle="--", linewidth=1)
    axes.axhline(1.0, color=CONTROL, linewidth=0.6)
    axes.plot([], [], "o", color=EFFECT, label="between families")
    axes.plot([], [], "o", color=CONTRAST, label="within a family")
    names = [name.split(",")[0] for name in _MEASURES.values()]
    axes.set_xticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(-0.4, 1.6)
    axes.set_ylabel("similarity over ceiling")
    axes.set_title("Every pair of tasks (bars: means)")
    axes.legend(loc="upper left")
