"""Analysis 4: at which layer does each task become readable, and do structural tasks come first and
semantic ones last?

Specialists at `last`, at every layer. A task is readable at a layer when its labels beat labels that
whole base queries exchanged, corrected for looking at all layers (`decodability`). It *emerges* at the
first readable layer whose out-of-fold AUROC has made at least half of the way from 0.5 to that of its
best layer. Depth is (layer + 1) / blocks: 0 is `embed`, 1 the last block. In each resample of base
queries the best layer and the half way are found again; a task that is readable at no layer has no
depth, and is in the tables as "never".

The rule of the verdict is that of `shared.layer_trend`, over the tasks that emerge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import Analysis, AnalysisResult, AnalysisSettings, Evidence, no_verdict
from if_circuits.analyses.layer_stratification.figure import draw
from if_circuits.analyses.shared.both_labels import on_both_labels
from if_circuits.analyses.shared.cells import Cell, cells_of
from if_circuits.analyses.shared.decodability import adjusted_p_values, permuted_aurocs
from if_circuits.analyses.shared.layer_trend import ORDER, judge_trend
from if_circuits.analyses.shared.probing import ProbingRows, fit_specialists, left_out_rows, probing_rows
from if_circuits.analyses.shared.row_scores import row_scores
from if_circuits.analyses.shared.score_table import Score, ScoreTable, score_fitted, score_table
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.models.layers import depth, layer_label
from if_circuits.probes.across_folds import AcrossFolds
from if_circuits.progress import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def run(
    source: ActivationSource,
    settings: AnalysisSettings,
    *,
    engine: Engine = IN_PROCESS,
    progress: Report | None = None,
) -> AnalysisResult:
    """Probe every task at every layer and place its emergence."""
    return on_both_labels(partial(_analyse, engine), source, settings, progress=progress)


def _analyse(
    engine: Engine, source: ActivationSource, settings: AnalysisSettings, progress: Report | None
) -> AnalysisResult:
    rows = probing_rows(source, settings, "last")
    left_out = left_out_rows([rows])
    if not rows.tasks:
        return AnalysisResult(
            ANALYSIS.name, left_out, no_verdict(ANALYSIS.claim, "needs a task at `last`", rows.notes())
        )
    table, readable, behind = _layer_curves(engine, source, rows, settings, progress)
    names = [task.name for task in rows.tasks]
    depths = np.array([depth(layer, source.n_layers) for layer in source.layers])
    curves = table.estimates.reshape(len(names), len(depths))
    draws = table.draws.reshape(len(table.draws), len(names), len(depths))
    found = depths_of_emergence(curves[None], readable, depths)[0]
    resampled = depths_of_emergence(draws, readable, depths)
    emergence = _emergence_table(rows, found, resampled, source)
    sizes = table.frame.groupby("task")[["n", "n_base_queries", "n_over_d"]].first()
    emergence = emergence.join(sizes, on="task")
    families = [task.family for task in rows.tasks]
    verdict = judge_trend(
        ANALYSIS.claim, families, found, resampled, table.interval_from, settings, verb="emerge"
    )
    never = [
        f"{name} becomes readable at no layer" for name, at in zip(names, found, strict=True) if np.isnan(at)
    ]
    verdict = replace(verdict, notes=(*verdict.notes, *never, *rows.notes()))
    frame = pd.concat([table.frame, left_out], ignore_index=True)
    return AnalysisResult(ANALYSIS.name, frame, verdict, {"emergence": emergence, "scores": behind})


def depths_of_emergence(
    curves: Float[np.ndarray, "draws tasks layers"],
    readable: Bool[np.ndarray, "tasks layers"],
    depths: Float[np.ndarray, " layers"],
) -> Float[np.ndarray, "draws tasks"]:
    """Depth of the first readable layer at half of the gain of the best one, for every curve of AUROCs.

    NaN where a task is readable at no layer, or where no readable layer of a draw gets that far.
    """
    best = np.where(readable, curves, -np.inf).max(axis=2, keepdims=True)
    there = readable & (curves - 0.5 >= (best - 0.5) / 2) & (best > 0.5)
    return np.where(there.any(axis=2), depths[there.argmax(axis=2)], np.nan)


@dataclass(frozen=True, eq=False)
class _Curve:
    """A cell whose probes are compared with exchanged labels: a unit of work."""

    cell: Cell
    n_permutations: int
    seed: int

    def __str__(self) -> str:
        return str(self.cell)


def point_of(unit: _Curve) -> tuple[AcrossFolds, list[Float[np.ndarray, " labels"]]]:
    """The specialists of a cell, and of each task the AUROCs of its labels and of exchanged ones."""
    X, rows = unit.cell.features(), unit.cell.rows
    return fit_specialists(X, rows), [
        permuted_aurocs(
            X[own],
            rows.labels[own],
            rows.queries[own],
            rows.fold_of_row[own],
            paired=rows.paired,
            n_permutations=unit.n_permutations,
            seed=unit.seed,
        )
        for own in rows.of_task
    ]


def _layer_curves(
    engine: Engine,
    source: ActivationSource,
    rows: ProbingRows,
    settings: AnalysisSettings,
    progress: Report | None,
) -> tuple[ScoreTable, Bool[np.ndarray, "tasks layers"], pd.DataFrame]:
    """Scores task by task, layer within task, where they are more than chance, and what they are made of."""
    behind: list[pd.DataFrame] = []
    scores: list[list[Score]] = [[] for _ in rows.tasks]
    aurocs: list[list[Float[np.ndarray, " labels"]]] = []
    units = [
        _Curve(cell, settings.n_permutations, settings.seed) for cell in cells_of(source, rows, source.layers)
    ]
    points = engine.map(point_of, units, progress=progress)
    for layer, (found, permuted) in zip(source.layers, points, strict=True):
        aurocs.append(permuted)
        for task, own in enumerate(scores):
            own.append(score_fitted(rows, task, found, column=task, layer=layer, probe="specialist"))
            behind.append(row_scores(source, rows, task, found.scores[:, task]).assign(layer=layer))
    p = np.stack([adjusted_p_values(np.stack(by_layer)) for by_layer in zip(*aurocs, strict=True)])
    table = score_table([one for own in scores for one in own], settings)
    table.frame["depth"] = [depth(layer, source.n_layers) for layer in table.frame["layer"]]
    table.frame["p"] = p.ravel()
    return table, p <= settings.alpha, pd.concat(behind, ignore_index=True)


def _emergence_table(
    rows: ProbingRows,
    found: Float[np.ndarray, " tasks"],
    resampled: Float[np.ndarray, "draws tasks"],
    source: ActivationSource,
) -> pd.DataFrame:
    """Depth of emergence of each task with its interval."""
    records: list[dict[str, object]] = []
    for task, at, draws in zip(rows.tasks, found.tolist(), resampled.T, strict=True):
        known = draws[~np.isnan(draws)]
        low, high = (
            np.quantile(known, [0.025, 0.975], method="inverted_cdf")
            if not np.isnan(at)
            else (np.nan, np.nan)
        )
        layer = "never" if np.isnan(at) else layer_label(round(at * source.n_layers) - 1)
        records.append(
            {
                "task": task.name,
                "family": task.family,
                "layer": layer,
                "depth": at,
                "low": float(low),
                "high": float(high),
                "share_of_resamples": len(known) / len(draws),
            }
        )
    return pd.DataFrame(records)


def figure(result: AnalysisResult) -> Figure:
    """Layer curves family by family on both kinds of labels, and the depth of emergence with intervals."""
    return draw(result, families=ORDER)


_EVIDENCE = Evidence(
    "decodable",
    assumes=(
        "a layer at which a probe first reads a task says something of where it is made",
        "words that are readable from the embedding on do not carry the label",
    ),
    broken_by=(
        "text baselines that read as early",
        "localisation at other layers: what can be read is not what acts",
    ),
)


ANALYSIS = Analysis(
    name="layer_stratification",
    claim="structural tasks emerge early, semantic ones late",
    run=run,
    figure=figure,
    evidence=lambda _: _EVIDENCE,
)
