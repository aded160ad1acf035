"""Localisation as data of the page: what each layer and position carries of each constraint, and what one
task's direction does to the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.shared.families import families_of
from if_circuits.models.layers import layer_label
from if_circuits.report.cells import Json, cell
from if_circuits.report.matrices import square
from if_circuits.report.numbers import num

_PLACES = {
    "all": "prompt's end and response",
    "prompt_end": "prompt's end",
    "response": "response",
}
_WAYS = {"takes": "taken away", "gives": "given"}
_SHARES: Json = {
    "kind": "matrix",
    "unit": "share of the difference in log-odds",
    "counted": "pairs of texts",
    "low": -1.0,
    "mid": 0.0,
    "high": 1.0,
    "midName": "nothing",
    "evidence": "task",
}
"""What every matrix of this module is."""


def carried(result: AnalysisResult) -> list[Json]:
    """Shares of the whole difference, by task and layer: one choice for each thing that was exchanged."""
    table = result.table
    if not {"layer", "position", "direction", "subspace", "share"} <= set(table):
        return []
    scored = table[table["share"].notna()]
    layers = sorted({int(layer) for layer in scored["layer"]})
    tasks = [task for task in families_of(table) if (scored["task"] == task).any()]
    if not layers:
        return []
    choices: list[Json] = []
    for keys, rows in scored.groupby(["subspace", "position", "direction"], sort=False):
        subspace, position, direction = map(str, keys)  # pyright: ignore[reportArgumentType, reportUnknownVariableType, reportUnknownArgumentType]
        what = "the whole residual stream" if subspace == "residual" else subspace
        choices.append(
            {
                "key": f"{subspace}/{position}/{direction}",
                "name": f"{what}, {_PLACES.get(position, position)}, {_WAYS.get(direction, direction)}",
                "cells": square(
                    rows.assign(layer=rows["layer"].astype(int).astype(str)),
                    tasks,
                    "task",
                    "layer",
                    _cell,
                    columns=[str(layer) for layer in layers],
                ),
            }
        )
    return [
        {
            "title": "What each layer carries",
            "rows": tasks,
            "cols": [str(layer) for layer in layers],
            "colLabels": {str(layer): layer_label(layer) for layer in layers},
            "rowTitle": "task",
            "colTitle": "layer",
            **_SHARES,
            "markedName": "beyond its placebo, or 0 where it has none",
            "choiceTitle": "exchanged",
            "task": "row",
            "note": "1 is all that the constraint does to the log-odds of a text that satisfies it against "
            "one that does not. Taken away: the prompt that asks gets the activations of the one that does "
            "not; given: the reverse. A star marks a cell beyond its placebo, or beyond 0 where it has none "
            "(false discovery rate 5 %).",
            "choices": choices,
        }
    ]


def compared(result: AnalysisResult) -> list[Json]:
    """Shares of other subspaces at the layer that carries each task, beside what sentences do."""
    tables = [
        result.tables[name].rename(columns={column: "what"})
        for name, column in (("subspaces", "subspace"), ("plain_prompts", "sentence"))
        if name in result.tables and {"task", column, "share"} <= set(result.tables[name])
    ]
    known = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"share": []})
    known = known[known["share"].notna()]
    if known.empty:
        return []
    known = known.assign(survives=known["p_adjusted"] < 0.05 if "p_adjusted" in known else False)
    tasks = list(dict.fromkeys(map(str, known["task"])))
    what = list(dict.fromkeys(map(str, known["what"])))
    return [
        {
            "title": "Other subspaces there, and a plain sentence",
            "rows": tasks,
            "cols": what,
            "colLabels": {name: name for name in what},
            "rowTitle": "task",
            "colTitle": "what is exchanged, or the sentence at the prompt's end",
            **_SHARES,
            "markedName": "moved as it was meant to be",
            "task": "row",
            "note": "At the layer that carries each task. Taken back and said twice are no interventions: a "
            "sentence that takes the constraint back, or says it again, ends the prompt. What does less than "
            "such a sentence is no finding about steering. A star marks what moves it as meant, upwards, and "
            "downwards where it is said twice (false discovery rate 5 %).",
            "choices": [
                {
                    "key": "natural",
                    "name": "",
                    "cells": square(known, tasks, "task", "what", _cell, columns=what),
                }
            ],
        }
    ]


def dependencies(result: AnalysisResult) -> list[Json]:
    """Shares of the measured task's difference that go with the changed task's direction."""
    edges = result.tables.get("dependencies")
    if edges is None or "share" not in edges or not edges["share"].notna().any():
        return []
    known = edges[edges["share"].notna()]
    changed = list(dict.fromkeys(map(str, known["changed"])))
    return [
        {
            "title": "What one task's direction does to the others",
            "rows": changed,
            "cols": list(dict.fromkeys(map(str, known["measured"]))),
            "rowTitle": "direction changed",
            "colTitle": "measured",
            **_SHARES,
            "markedName": "an edge",
            "choiceTitle": "changed by",
            "task": "col",
            "note": "Removal sets the direction to its mean over violated responses; interchange, to its "
            "value behind the prompt that does not ask. A star marks an edge: beyond a random displacement "
            "of the same length (false discovery rate 5 %), and at least a tenth of the difference.",
            "choices": [
                {
                    "key": way,
                    "name": way,
                    "cells": square(
                        known[known["way"] == way],
                        changed,
                        "changed",
                        "measured",
                        _cell,
                        columns=list(dict.fromkeys(map(str, known["measured"]))),
                    ),
                }
                for way in ("interchange", "removal")
            ],
        }
    ]


def _cell(row: Mapping[Any, Any]) -> Json:
    placebo = {"name": "random displacements of the same length", "mean": num(row.get("share_placebo"))}
    return cell(
        row,
        "share",
        facts=(
            ("full", "whole difference, nats"),
            ("p", "p"),
            ("p_adjusted", "p, adjusted"),
            ("stability", "share of resamples that keep it"),
            ("beyond_reverse", "this less the reverse"),
        ),
        controls=[placebo],
        marked=bool(row.get("survives")),
    )
