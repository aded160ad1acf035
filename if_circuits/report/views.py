"""Which views of which tables each section of the page has."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.shared.families import families_of
from if_circuits.report.carried import carried, compared, dependencies
from if_circuits.report.cells import Json
from if_circuits.report.curves import along_response, over_layers, points
from if_circuits.report.matrices import ablation, by_layer, similarity, transfer
from if_circuits.report.nulls import Null
from if_circuits.report.numbers import nums, texts

_CUBE_NUMBERS = ("layer", "auroc", "low", "high", "n", "n_satisfied", "n_violated", "n_over_d")
_CUBE_TEXTS = ("labels", "task", "position", "probe", "reason")


def views(
    results: Mapping[str, AnalysisResult], compliance: pd.DataFrame, null: Null
) -> dict[str, list[Json]]:
    """The views of each analysis that has any, and those of compliance.

    A table that lacks what a view needs, as of an older study, gives no view.
    """
    found = {name: _views_of(result, null) for name, result in results.items()}
    found["compliance"] = points(
        compliance,
        "constrained",
        low="constrained_low",
        high="constrained_high",
        title="Compliance by task",
        unit="share that satisfies",
        middle=0.0,
        controls={"unconstrained": "unconstrained twin", "greedy": "constrained, greedy"},
        facts=(("satisfied", "satisfied"), ("violated", "violated"), ("undecided", "undecided")),
    )
    return {name: each for name, each in found.items() if each}


def _views_of(result: AnalysisResult, null: Null) -> list[Json]:
    tables = result.tables
    nothing = pd.DataFrame()
    match result.name:
        case "specialist_vs_general":
            return [
                *points(
                    tables.get("differences", nothing),
                    "difference",
                    title="Specialist minus general, by task",
                    unit="difference of AUROC",
                    middle=0.0,
                    facts=(("p", "p"), ("p_holm", "p, Holm over tasks")),
                ),
                *_cube(result),
            ]
        case "cross_task_transfer":
            return transfer(result, null)
        case "causal_ablation":
            return ablation(result)
        case "layer_stratification":
            return [*by_layer(result, null), *over_layers(result, null)]
        case "temporal_dynamics":
            return along_response(result)
        case "localisation":
            return [*carried(result), *compared(result), *dependencies(result)]
        case "representational_similarity":
            return similarity(result)
        case "specificity":
            return points(
                result.table,
                "effect",
                title="Variance in the row space, constrained over twins, over random",
                unit="ratio",
                middle=1.0,
                facts=(
                    ("share", "share, constrained"),
                    ("share_twins", "share, twins"),
                    ("rank", "rank"),
                    ("ratio", "ratio"),
                    ("ratio_gaussian", "ratio of Gaussian subspaces"),
                    ("ratio_variance_matched", "ratio of variance-matched subspaces"),
                ),
            )
        case _:
            return []


def _cube(result: AnalysisResult) -> list[Json]:
    """Scores by task, layer, position and probe, column by column."""
    table = result.table
    if not {*_CUBE_NUMBERS, *_CUBE_TEXTS} <= set(table):
        return []
    table = table[table["probe"].notna() & (table["probe"] != "control")]
    if table.empty:
        return []
    return [
        {
            "kind": "cube",
            "title": "Decodability by task, layer and position",
            "rows": [task for task in families_of(table) if (table["task"] == task).any()],
            "unit": "AUROC",
            "low": 0.0,
            "mid": 0.5,
            "high": 1.0,
            "midName": "chance",
            "markedName": "",
            "probe": "specialist",
            "evidence": "task",
            "note": "Choose a position to see every layer, or a layer to see every position. The words "
            "alone, at the same position, are named beside each number.",
            "columns": {
                **{name: texts(table[name]) for name in _CUBE_TEXTS},
                **{name: nums(table[name]) for name in _CUBE_NUMBERS},
            },
        }
    ]
