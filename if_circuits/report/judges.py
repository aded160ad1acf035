"""What the report says of the judges: their measured agreement with people, the ceiling that it sets, and the
verdicts on the labels on which two judges agree.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from if_circuits.analyses.base import AnalysisResult, Verdict
from if_circuits.statistics.label_noise import auroc_ceiling
from if_circuits.tasks.judges.heads import asset
from if_circuits.tasks.judges.report import POSITIVE
from if_circuits.tasks.labels import is_satisfied, is_undecided
from if_circuits.tasks.registry import tasks


@dataclass(frozen=True)
class JudgedTask:
    """One judged task of a study."""

    task: str
    judge: str
    texts: str
    """What people labelled; "not measured" for a judge that ships without a measurement."""
    n: int
    agreement: float
    """AUROC of the judge's score against the human labels."""
    right: float
    """Share of the decided texts that get their human label."""
    ceiling: float
    """AUROC against this study's labels of a perfect probe; NaN where that is not known."""


def judged_tasks(responses: pd.DataFrame, judges: Mapping[str, str]) -> list[JudgedTask]:
    """The judged tasks of verified responses; `judges` is by property.

    A task that asks for either of two labels is satisfied by each in the share that it is asked for, so
    sensitivity and specificity are mixed in that share.
    """
    measured: dict[str, dict[str, Any]] = json.loads(asset("measured.json"))
    found: list[JudgedTask] = []
    for task in map(str, responses["task"].unique()):
        what = _property_of(task)
        rows = responses[(responses["task"] == task) & responses["constrained"] & ~is_undecided(responses)]
        if what is None or what not in judges or not len(rows):
            continue
        known = measured.get(judges[what])
        if known is None:
            nan = float("nan")
            found.append(JudgedTask(task, judges[what], "not measured", 0, nan, nan, nan))
            continue
        first = _asked_for_first(rows, what)
        sensitivity, specificity = float(known["sensitivity"]), float(known["specificity"])
        found.append(
            JudgedTask(
                task,
                judges[what],
                known["texts"],
                int(known["n"]),
                float(known["auroc"]),
                float(known["right"]),
                auroc_ceiling(
                    first * sensitivity + (1 - first) * specificity,
                    first * specificity + (1 - first) * sensitivity,
                    positives=float(is_satisfied(rows).mean()),
                ),
            )
        )
    return found


@dataclass(frozen=True)
class Repeated:
    """A verdict, and the same on agreed labels."""

    name: str
    before: Verdict
    after: Mapping[str, Any] | None
    """A row of `study.agreement.verdicts_on`; None for an analysis that needs the model."""
    kept: bool
    """Whether both verdicts are the same."""


def repeated(results: Mapping[str, AnalysisResult], agreed: pd.DataFrame | None) -> list[Repeated]:
    """The verdicts of a study beside those on agreed labels; empty where no second judge was asked."""
    if agreed is None:
        return []
    records: list[Any] = agreed.to_dict("records")
    rows: dict[str, Mapping[str, Any]] = {row["analysis"]: row for row in records}
    return [
        Repeated(
            name,
            result.verdict,
            row := rows.get(name),
            kept=row is not None and row["verdict"] == result.verdict.verdict,
        )
        for name, result in results.items()
    ]


def _property_of(task: str) -> str | None:
    """What the task has judged; None where it is verified exactly, or is not installed any more."""
    return tasks.get(task).judge if task in tasks.names() else None


def _asked_for_first(rows: pd.DataFrame, what: str) -> float:
    """The share of rows that ask for the label that the judge's sensitivity is of."""
    if what == "topic":  # the topic that is asked for is the label
        return 1.0
    asked = [str(json.loads(text).get(what, "clean")) for text in rows["parameters"]]
    return sum(each == POSITIVE.get(what) for each in asked) / len(asked)
