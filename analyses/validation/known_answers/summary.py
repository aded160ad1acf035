"""The known answers of several models: `summary.json`, and how often each question was answered rightly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from if_circuits.planting.mechanism import Mechanism


def summarise(answers: pd.DataFrame, mechanisms: Mapping[str, Mechanism]) -> dict[str, Any]:
    """`summary.json`: per model what was planted and found, and every question with its effect and interval.

    `answers` are the rows of `compare` with the column model.
    """
    models: dict[str, Any] = {}
    for name, rows in answers.groupby("model", sort=False):
        mechanism, verdict = mechanisms[str(name)], rows[rows["question"] == "mechanism"].iloc[0]
        models[str(name)] = {
            "planted": mechanism.structure,
            "kind": mechanism.kind,
            "found": verdict["found"],
            "timing": mechanism.timing,
            "layer": mechanism.layer,
            "seed": mechanism.seed,
            "analyses": {
                str(row["question"]): {
                    "planted": row["planted"],
                    "found": row["found"],
                    "right": row["right"],
                    "effect": _number(row["effect"]),
                    "interval": [_number(row["low"]), _number(row["high"])],
                }
                for row in rows.to_dict("records")
                if row["question"] != "mechanism"
            },
        }
    return {"models": models}


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if np.isnan(value) else float(value)


def agreement(answers: pd.DataFrame) -> pd.DataFrame:
    """Over models of a kind: kind, question, right, undecided, wrong, models, and the Wilson interval of
    `right`."""
    counts = answers.groupby(["kind", "question"], sort=False)["right"].value_counts().unstack(fill_value=0)
    counts = counts.reindex(columns=["right", "undecided", "wrong"], fill_value=0).reset_index()
    counts["models"] = counts[["right", "undecided", "wrong"]].sum(axis=1)
    bounds = [
        binomtest(k, n).proportion_ci(method="wilson")
        for k, n in counts[["right", "models"]].itertuples(index=False)
    ]
    return counts.assign(low=[each.low for each in bounds], high=[each.high for each in bounds])
