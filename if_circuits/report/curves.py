"""Curves and points as data of the page: along the response, over the layers, and one a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from if_circuits.activations.positions import POSITIONS
from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.shared.families import families_of
from if_circuits.models.layers import layer_label
from if_circuits.plotting.families import family_colours
from if_circuits.plotting.style import CONTROL, EFFECT, position_label, task_label
from if_circuits.report.cells import Json, cell
from if_circuits.report.matrices import layered
from if_circuits.report.nulls import Null

_PROBE, _WORDS = "specialist", "text"


def along_response(result: AnalysisResult) -> list[Json]:
    """AUROC of probe and words at every position: mean over tasks, then each task."""
    table, means = result.table, result.tables.get("means")
    if "position" not in table or means is None:
        return []
    present = [position for position in POSITIONS if (means["position"] == position).any()]
    choices: list[Json] = []
    for labels in dict.fromkeys(map(str, means["labels"])):
        own = means[means["labels"] == labels]
        choices.append(_pair(own, present, labels, f"mean over tasks, {labels} labels", task=None))
    for labels in dict.fromkeys(map(str, means["labels"])):
        rows = table[(table["labels"] == labels) & (table["reason"] == "")]
        for task in families_of(table):
            own = rows[rows["task"] == task]
            if len(own):
                name = f"{task_label(task)}, {labels} labels"
                choices.append(_pair(own, present, labels, name, task=task))
    return [
        {
            "kind": "curves",
            "title": "Along the response",
            "x": [position_label(position) for position in present],
            "xTitle": "position in the response",
            "unit": "AUROC",
            "mid": 0.5,
            "midName": "chance",
            "markedName": "",
            "evidence": "task",
            "note": "Blue: the probe. Grey: a classifier of the words so far. Bands: 95 % over base queries.",
            "choices": choices,
        }
    ]


def _pair(table: pd.DataFrame, positions: Sequence[str], labels: str, name: str, *, task: str | None) -> Json:
    """The probe's curve and the words'."""
    return {
        "key": labels,
        "name": name,
        "series": [
            {
                "name": called,
                "task": task,
                "colour": colour,
                "dash": dash,
                "points": _points(
                    table[table["probe"] == probe],
                    "position",
                    positions,
                    lambda row: cell(row, "auroc", facts=(("mean_tokens_read", "mean tokens read"),)),
                ),
            }
            for probe, called, colour, dash in (
                (_PROBE, "probe", EFFECT, 0),
                (_WORDS, "words alone", CONTROL, 1),
            )
        ],
    }


def over_layers(result: AnalysisResult, null: Null) -> list[Json]:
    """AUROC of each task over the layers, at the last token."""
    table = result.table
    if "layer" not in table:
        return []
    scored = table[table["reason"] == ""]
    layers = sorted({int(layer) for layer in scored["layer"].dropna()})
    if not layers:
        return []
    family_of = families_of(table)
    colours = family_colours(family_of.values())
    choices: list[Json] = []
    for labels in dict.fromkeys(map(str, scored["labels"])):
        rows = scored[scored["labels"] == labels]
        drawn: dict[str, int] = {}
        series: list[Json] = []
        for task, family in family_of.items():
            own = rows[rows["task"] == task]
            if own.empty:
                continue
            drawn[family] = drawn.get(family, -1) + 1
            points = _points(
                own.assign(layer=own["layer"].astype(int).astype(str)),
                "layer",
                [str(layer) for layer in layers],
                lambda row: layered(row, null),
            )
            series.append(
                {
                    "name": f"{task_label(task)} ({family})",
                    "task": task,
                    "colour": colours[family],
                    "dash": drawn[family],
                    "points": points,
                }
            )
        choices.append({"key": labels, "name": f"{labels} labels", "series": series})
    return [
        {
            "kind": "curves",
            "title": "Over the layers",
            "x": [layer_label(layer) for layer in layers],
            "xTitle": "layer, at the last token",
            "unit": "AUROC",
            "mid": 0.5,
            "midName": "chance",
            "markedName": "readable",
            "choiceTitle": "labels",
            "evidence": "scores",
            "scored": "layer_stratification",
            "task": "row",
            "choices": choices,
        }
    ]


def _points(
    table: pd.DataFrame, column: str, places: Sequence[str], make: Callable[[Mapping[Any, Any]], Json]
) -> list[Json | None]:
    found = {str(row[column]): make(row) | {"col": str(row[column])} for row in table.to_dict("records")}
    return [found.get(place) for place in places]


def points(
    table: pd.DataFrame,
    value: str,
    *,
    title: str,
    unit: str,
    middle: float,
    facts: Sequence[tuple[str, str]] = (),
    controls: Mapping[str, str] = {},  # noqa: B006  (a mapping that nobody writes)
    low: str = "low",
    high: str = "high",
    note: str = "",
    evidence: str = "task",
) -> list[Json]:
    """One point a task with its interval, on each kind of labels that the table has."""
    if table.empty or value not in table:
        return []
    kinds = dict.fromkeys(map(str, table["labels"])) if "labels" in table else {"natural": None}

    def rows_of(labels: str) -> list[Json]:
        rows = table[table["labels"] == labels] if "labels" in table else table
        return [
            {
                "task": str(row["task"]),
                "name": task_label(str(row["task"])),
                "cell": cell(
                    row,
                    value,
                    low=low,
                    high=high,
                    facts=facts,
                    controls=[
                        {"name": name, "mean": cell(row, column)["v"]} for column, name in controls.items()
                    ],
                ),
            }
            for row in rows.to_dict("records")
        ]

    return [
        {
            "kind": "forest",
            "title": title,
            "unit": unit,
            "mid": middle,
            "midName": "",
            "markedName": "",
            "choiceTitle": "labels",
            "evidence": evidence,
            "controlName": ", ".join(controls.values()),
            "note": note,
            "choices": [
                {"key": labels, "name": f"{labels} labels", "rows": rows_of(labels)} for labels in kinds
            ],
        }
    ]
