"""Token readings as data of the page: of each response its tokens, and what each probe reads at them."""

from __future__ import annotations

import pandas as pd

from if_circuits.report.cells import Json
from if_circuits.report.numbers import num
from if_circuits.report.readings import Readings

WORDS = "words"


def reading_columns(readings: Readings | None) -> Json:
    """By response: tokens, and readings by spot ("task layer" or "task words"), one a token."""
    empty: Json = {
        "along": {}, "layers": [], "tasks": [], "calibration": {}, "aurocs": {}, "everyToken": True,
    }  # fmt: skip
    if readings is None or readings.table.empty:
        return empty
    table = readings.table.assign(spot=_spots(readings.table))
    along: Json = {}
    pieces = {str(name): part for name, part in readings.tokens.groupby("response_id", sort=False)}
    for name, part in table.groupby("response_id", sort=False):
        own = pieces[str(name)].sort_values("token")
        wide = part.pivot(index="token", columns="spot", values="reading").reindex(own["token"])
        along[str(name)] = {
            "tokens": [str(text) for text in own["text_token"].tolist()],
            "along": {str(spot): [_short(value) for value in wide[spot].tolist()] for spot in wide.columns},
        }
    known = readings.probes[readings.probes["reason"] == ""]
    return {
        "along": along,
        "layers": sorted({int(layer) for layer in table["layer"].dropna()}),
        "tasks": list(dict.fromkeys(map(str, known["train_task"]))),
        "calibration": calibration_columns(readings.calibration),
        "aurocs": {
            spot: num(value) for spot, value in zip(_spots(known), known["auroc"].tolist(), strict=True)
        },
        "everyToken": readings.every_token,
    }


def calibration_columns(table: pd.DataFrame) -> Json:
    """What held-out readings are worth: bins by spot."""
    found: Json = {}
    for spot, row in zip(_spots(table), table.to_dict("records"), strict=True):
        worth = {"bin": num(row["bin"]), "n": num(row["n"]), "share": num(row["share_satisfied"])}
        found.setdefault(spot, []).append(worth | {"low": num(row["low"]), "high": num(row["high"])})
    return found


def _spots(table: pd.DataFrame) -> list[str]:
    return [
        f"{task} {WORDS if layer != layer else int(layer)}"
        for task, layer in zip(table["train_task"].tolist(), table["layer"].tolist(), strict=True)
    ]


def _short(value: float) -> float | None:
    return None if value != value else round(float(value), 2)
