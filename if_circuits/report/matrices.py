"""Matrices as data of the page: transfer, ablation, similarity, and decodability by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.shared.families import families_of
from if_circuits.models.layers import layer_label
from if_circuits.plotting.style import task_label
from if_circuits.report.cells import Json, cell
from if_circuits.report.nulls import Null
from if_circuits.report.numbers import num

_COUNTS = (("n_satisfied", "satisfied"), ("n_violated", "violated"))


def transfer(result: AnalysisResult, null: Null) -> list[Json]:
    """Every task's probe on every task, on each kind of labels."""
    table = result.table
    if "train_task" not in table:
        return []
    scored = table[table["reason"] == ""]
    if scored.empty:
        return []
    natural = scored[scored["labels"] == "natural"]
    ordered = (natural if len(natural) else scored).sort_values("place")
    tasks = list(dict.fromkeys(map(str, ordered["task"])))
    return [
        {
            "kind": "matrix",
            "title": "Transfer between tasks",
            "rows": tasks,
            "cols": tasks,
            "rowTitle": "trained on",
            "colTitle": "tested on",
            "unit": "AUROC",
            "low": 0.0,
            "mid": 0.5,
            "high": 1.0,
            "midName": "chance",
            "markedName": "not 0.5 at a false discovery rate of 5 %",
            "choiceTitle": "labels",
            "evidence": "scores",
            "scored": "cross_task_transfer",
            "task": "col",
            "note": "A star marks a cell off the diagonal that differs from 0.5 (false discovery rate 5 %).",
            "choices": [
                {
                    "key": labels,
                    "name": labels,
                    "cells": square(rows, tasks, "train_task", "task", lambda row: _transferred(row, null)),
                    "note": "" if len(rows) else f"No task could be probed on {labels} labels.",
                }
                for labels in dict.fromkeys(map(str, table["labels"]))
                for rows in (scored[scored["labels"] == labels],)
            ],
        }
    ]


def _transferred(row: Mapping[Any, Any], null: Null) -> Json:
    return cell(
        row,
        "auroc",
        facts=(*_COUNTS, ("p", "p (not 0.5)"), ("p_adjusted", "p, adjusted")),
        controls=null.of("cross_task_transfer", row["labels"], row["train_task"], row["task"]),
        marked=_p(row, "p_adjusted") < 0.05,
    )


def ablation(result: AnalysisResult) -> list[Json]:
    """The drop of every task under every removal, beyond the stronger control."""
    table = result.table
    if "matrix" not in table or table.empty:
        return []
    tasks = list(families_of(table, task="ablated"))
    reach = max(0.05, float(table["excess"].abs().max())) if table["excess"].notna().any() else 1.0
    return [
        {
            "kind": "matrix",
            "title": "Drop when a subspace is removed, beyond control",
            "rows": tasks,
            "cols": tasks,
            "rowTitle": "removed",
            "colTitle": "measured",
            "unit": "drop beyond control",
            "low": -reach,
            "mid": 0.0,
            "high": reach,
            "midName": "as under control",
            "markedName": "an edge",
            "choiceTitle": "matrix",
            "evidence": "answers",
            "note": "0 is what random subspaces of the same rank do. A star marks an edge: a drop that "
            "survives the correction over all cells. Only “behaviour” speaks of cause.",
            "choices": [
                {
                    "key": name,
                    "name": name,
                    "behaviour": name == "behaviour",
                    "cells": square(table[table["matrix"] == name], tasks, "ablated", "measured", _dropped),
                }
                for name in sorted(
                    dict.fromkeys(map(str, table["matrix"])), key=lambda name: name != "behaviour"
                )
            ],
        }
    ]


def _dropped(row: Mapping[Any, Any]) -> Json:
    spread = num(row.get("control_sd"))
    controls = [
        {"name": f"drop under {task_label(kind)} subspaces", "mean": num(row.get(f"drop_{kind}"))}
        for kind in ("gaussian", "variance_matched")
    ]
    return cell(
        row,
        "excess",
        facts=(
            ("after", "score after the removal"),
            ("p", "p"),
            ("p_adjusted", "p, adjusted"),
            ("p_rank", "p, rank among controls"),
            ("p_mcnemar", "p, McNemar against intact"),
        ),
        controls=controls,
        drawn=[{"name": "control", "mean": 0, "sd": spread}],
        marked=bool(row.get("survives")),
        frame=row["ablated"] == row["measured"],
        why=None if row.get("measurable") else "one of the two tasks cannot show a drop",
    )


_SIMILARITIES = {
    "similarity": ("directions, over their ceiling", ""),
    "overlap_ratio": ("INLP subspaces, over their ceiling", ""),
    "pwcca": ("PWCCA, debiased", "pwcca_p_adjusted"),
    "cka": ("CKA, debiased", "cka_p_adjusted"),
}


def similarity(result: AnalysisResult) -> list[Json]:
    """How alike two tasks are, under each measure."""
    table = result.table
    if table.empty or "task_a" not in table:
        return []
    tasks = list(dict.fromkeys([*map(str, table["task_a"]), *map(str, table["task_b"])]))
    both = pd.concat([table, table.rename(columns={"task_a": "task_b", "task_b": "task_a"})])
    why = _left_out(result.tables.get("tasks"))
    return [
        {
            "kind": "matrix",
            "title": "Similarity of tasks",
            "rows": tasks,
            "cols": tasks,
            "rowTitle": "task",
            "colTitle": "task",
            "unit": "similarity",
            "counted": "base queries",
            "low": -1.0,
            "mid": 0.0,
            "high": 1.0,
            "midName": "unrelated",
            "markedName": "above chance at a false discovery rate of 5 %",
            "choiceTitle": "measure",
            "evidence": "pair",
            "note": "What chance gives is subtracted: 0 is unrelated. × marks pairs that cannot be compared.",
            "choices": [
                {
                    "key": column,
                    "name": name,
                    "cells": square(
                        both,
                        tasks,
                        "task_a",
                        "task_b",
                        lambda row, c=column, p=p: _alike(row, c, p, why),
                    ),
                }
                for column, (name, p) in _SIMILARITIES.items()
                if column in table
            ],
        }
    ]


def _left_out(tasks: pd.DataFrame | None) -> dict[str, str]:
    """Why tasks take no part."""
    if tasks is None or not {"task", "reason"} <= set(tasks):
        return {}
    return {str(row["task"]): str(row["reason"]) for row in tasks.to_dict("records") if row["reason"]}


def _alike(row: Mapping[Any, Any], column: str, p: str, left_out: Mapping[str, str]) -> Json:
    verdict = column == "similarity"
    why = [
        f"{task_label(task)}: {left_out[task]}" for task in (row["task_a"], row["task_b"]) if task in left_out
    ]
    return cell(
        {**row, "n": row.get("paired_queries")},
        column,
        low="low" if verdict else "",
        high="high" if verdict else "",
        facts=(
            (f"{column}_p", "p"),
            (p, "p, adjusted"),
            (f"{column}_ceiling", "ceiling"),
            ("smallest_angle", "smallest angle, degrees"),
        ),
        marked=bool(p) and _p(row, p) < 0.05,
        why=(why or None) if num(row.get(column)) is None else None,
    )


def by_layer(result: AnalysisResult, null: Null) -> list[Json]:
    """AUROC of each task at each layer."""
    table = result.table
    if "layer" not in table:
        return []
    scored = table[table["reason"] == ""]
    layers = sorted({int(layer) for layer in scored["layer"].dropna()})
    tasks = [task for task in families_of(table) if (scored["task"] == task).any()]
    if not layers:
        return []
    return [
        {
            "kind": "matrix",
            "title": "Decodability by layer",
            "rows": tasks,
            "cols": [str(layer) for layer in layers],
            "colLabels": {str(layer): layer_label(layer) for layer in layers},
            "rowTitle": "task",
            "colTitle": "layer",
            "unit": "AUROC",
            "low": 0.0,
            "mid": 0.5,
            "high": 1.0,
            "midName": "chance",
            "markedName": "readable",
            "choiceTitle": "labels",
            "evidence": "scores",
            "scored": "layer_stratification",
            "task": "row",
            "note": "A star marks a layer at which the task is readable: p at most 0.05, over all layers.",
            "choices": [
                {
                    "key": labels,
                    "name": labels,
                    "cells": square(
                        rows.assign(layer=rows["layer"].astype(int).astype(str)),
                        tasks,
                        "task",
                        "layer",
                        lambda row: layered(row, null),
                        columns=[str(layer) for layer in layers],
                    ),
                }
                for labels in dict.fromkeys(map(str, scored["labels"]))
                for rows in (scored[scored["labels"] == labels],)
            ],
        }
    ]


def layered(row: Mapping[Any, Any], null: Null) -> Json:
    """A task at a layer."""
    return cell(
        row,
        "auroc",
        facts=(*_COUNTS, ("p", "p, over all layers"), ("n_over_d", "training rows per dimension")),
        controls=null.of("layer_stratification", row["labels"], row["layer"], row["task"]),
        marked=_p(row, "p") <= 0.05,
    )


def _p(row: Mapping[Any, Any], column: str) -> float:
    """A p-value; 1 where there is none."""
    known = num(row.get(column))
    return 1.0 if known is None else known


def square(
    table: pd.DataFrame,
    rows: list[str],
    row: str,
    column: str,
    make: Any,
    *,
    columns: list[str] | None = None,
) -> list[list[Json | None]]:
    """The cells in the order of `rows`; None where the table has none."""
    found = {(str(each[row]), str(each[column])): make(each) for each in table.to_dict("records")}
    return [[found.get((a, b)) for b in columns or rows] for a in rows]
