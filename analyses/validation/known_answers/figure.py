"""The figure of the known answers: what was planted in each model, beside what its study recovered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.validation.known_answers.graphs import planted_matrix, transfer_matrix
from if_circuits.planting.mechanism import Mechanism
from if_circuits.plotting.style import DIVERGING, draw_matrix, new_figure, task_label
from if_circuits.tasks.registry import tasks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Recovered:
    """One model's truth and the two analyses that recover a matrix."""

    name: str
    mechanism: Mechanism
    transfer: AnalysisResult
    ablation: AnalysisResult


def figure(models: Sequence[Recovered]) -> Figure:
    """A row a model: planted dependencies, drops in behaviour with surviving edges marked, and transfer."""
    drawing, axes = new_figure(len(models), 3, width=18.0, height=4.3 * len(models))
    for number, model in enumerate(models):
        planted, behaviour, transfer = axes[3 * number : 3 * number + 3]
        names = [name for name in tasks.built_in() if name in model.mechanism.gates]
        _draw_planted(planted, model, names)
        _draw_drops(behaviour, model.ablation, names)
        measured, aurocs = transfer_matrix(model.transfer)
        wide = pd.DataFrame(aurocs, index=measured, columns=measured).reindex(index=names, columns=names)
        draw_matrix(
            transfer,
            wide.to_numpy(),
            rows=names,
            columns=names,
            low=0.0,
            high=1.0,
            colours=DIVERGING,
            label="AUROC",
        )
        n = model.transfer.verdict.n
        transfer.set_title(f"transfer at `last` (n = {n} base queries)")
        transfer.set(xlabel="tested on", ylabel="trained on")
    drawing.suptitle(
        "Planted and recovered. Left: what breaks (column) when a task's direction (row) is removed. Middle: "
        "drop in compliance beyond random directions (* survives FDR 5 %; empty: not measured). Right: "
        "transfer.",
        fontsize=9,
    )
    return drawing


def _draw_planted(axes: Axes, model: Recovered, names: Sequence[str]) -> None:
    matrix = planted_matrix(model.mechanism, names).astype(float)
    _draw(axes, matrix, names, low=-1.0)
    axes.set_title(f"{task_label(model.name)}: planted ({model.mechanism.timing})")
    axes.set(xlabel="broken", ylabel="removed")


def _draw_drops(axes: Axes, result: AnalysisResult, names: Sequence[str]) -> None:
    drops = cells_of(result, "behaviour", names, "excess")
    marked = cells_of(result, "behaviour", names, "survives")
    stars: Bool[np.ndarray, "a b"] = np.nan_to_num(marked).astype(bool)
    draw_matrix(
        axes,
        drops,
        rows=names,
        columns=names,
        low=-1.0,
        high=1.0,
        colours=DIVERGING,
        label="drop",
        marked=stars,
    )
    prompts = result.table[result.table["matrix"] == "behaviour"]["n"]
    sizes = sorted({int(n) for n in prompts})
    n = " to ".join(map(str, sizes if len(sizes) < 2 else (sizes[0], sizes[-1])))
    axes.set_title(f"behaviour (n = {n} prompts a task)" if sizes else "behaviour (not measured)")
    axes.set(xlabel="measured", ylabel="removed")


def _draw(
    axes: Axes,
    values: Float[np.ndarray, "tasks tasks"],
    names: Sequence[str],
    *,
    low: float,
    label: str = "",
    marked: Bool[np.ndarray, "tasks tasks"] | None = None,
) -> None:
    """A square matrix of tasks, from `low` to 1."""
    draw_matrix(
        axes,
        values,
        rows=names,
        columns=names,
        low=low,
        high=1.0,
        colours=DIVERGING,
        label=label,
        marked=marked,
    )


def cells_of(
    result: AnalysisResult, matrix: str, names: Sequence[str], column: str
) -> Float[np.ndarray, "ablated measured"]:
    """One column of a causal matrix as a matrix in the order of `names`; NaN where there is no cell."""
    cells = result.table[result.table["matrix"] == matrix]
    wide = cells.pivot(index="ablated", columns="measured", values=column)
    return wide.reindex(index=list(names), columns=list(names)).to_numpy(dtype=np.float64)
