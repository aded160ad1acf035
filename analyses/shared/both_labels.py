"""Every probing analysis on both kinds of labels: natural, which the verdict rests on, and counterfactual.

Natural labels come from responses to their own prompts, whose words may carry the label. Counterfactual ones
put one text under a prompt that it satisfies and under another that it breaks (`tasks.counterfactual`), so
that no word carries it. The analysis runs twice, unchanged, on the same folds over base queries. All its
tables get the column `labels`; the table `labels` sets the two outcomes side by side, and a note of the
verdict states the second and whether it differs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from textwrap import fill

import pandas as pd

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import AnalysisResult, AnalysisSettings, Verdict
from if_circuits.analyses.shared.families import families_of
from if_circuits.progress import Report, part_of

NATURAL, COUNTERFACTUAL = "natural", "counterfactual"

_NO_PARAMETERS = (
    "it has no parameters, so no other prompt of its kind exists that the same text would break, "
    "and it declares no opposite"
)
_NO_PAIR = "no compliant response has a counterfactual"

Analysis = Callable[[ActivationSource, AnalysisSettings, Report | None], AnalysisResult]
"""An analysis of one kind of labels; it tells its progress."""


def on_both_labels(
    analyse: Analysis,
    source: ActivationSource,
    settings: AnalysisSettings,
    *,
    progress: Report | None = None,
) -> AnalysisResult:
    """The result on natural labels with the tables of both kinds, one under the other."""
    pairs = source.counterfactual
    kinds = 1 if pairs is None else 2
    natural = analyse(source, settings, part_of(progress, 0, kinds))
    found = None if pairs is None else analyse(pairs, settings, part_of(progress, 1, kinds))
    parts = [_marked(natural.table, NATURAL)]
    tables = {name: [_marked(table, NATURAL)] for name, table in natural.tables.items()}
    outcomes = [_outcome(natural, NATURAL)]
    if found is not None:
        parts.append(_marked(found.table, COUNTERFACTUAL))
        for name, table in found.tables.items():
            tables.setdefault(name, []).append(_marked(table, COUNTERFACTUAL))
        outcomes.append(_outcome(found, COUNTERFACTUAL))
    parts.append(_marked(_tasks_without_pairs(source), COUNTERFACTUAL))
    return AnalysisResult(
        natural.name,
        _stacked(parts),
        replace(natural.verdict, notes=(*natural.verdict.notes, _comparison(natural.verdict, found))),
        {"labels": pd.DataFrame(outcomes), **{name: _stacked(found) for name, found in tables.items()}},
    )


def of_labels(table: pd.DataFrame, labels: str) -> pd.DataFrame:
    """The rows of a table on one kind of labels."""
    return table[table["labels"] == labels]


def why_none(table: pd.DataFrame, labels: str, family: str) -> str:
    """Why no task of a family is drawn on one kind of labels, task by task, for the empty panel."""
    rows = of_labels(table, labels)
    rows = rows[(rows["family"] == family) & (rows["reason"] != "")]
    reasons = {str(task): str(reason) for task, reason in zip(rows["task"], rows["reason"], strict=True)}
    told = [f"{task.replace('_', ' ')}: {reason}" for task, reason in reasons.items()]
    return "\n".join(fill(each, 30) for each in told) or "no task of this family in the study"


def _marked(table: pd.DataFrame, labels: str) -> pd.DataFrame:
    marked = table.copy()
    marked.insert(0, "labels", labels)
    return marked


def _stacked(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _tasks_without_pairs(source: ActivationSource) -> pd.DataFrame:
    """The tasks that have no counterfactual rows, with the reason."""
    responses = source.responses
    has_pairs = set() if source.counterfactual is None else set(source.counterfactual.responses["task"])
    missing = {task: family for task, family in families_of(responses).items() if task not in has_pairs}
    bare = {task for task in missing if (responses["parameters"][responses["task"] == task] == "{}").all()}
    return pd.DataFrame(
        {
            "task": list(missing),
            "family": list(missing.values()),
            "reason": [_NO_PARAMETERS if task in bare else _NO_PAIR for task in missing],
        }
    )


def _outcome(result: AnalysisResult, labels: str) -> dict[str, object]:
    verdict, table = result.verdict, result.table
    return {
        "labels": labels,
        "verdict": verdict.verdict,
        "effect": verdict.effect,
        "low": verdict.interval[0],
        "high": verdict.interval[1],
        "p": verdict.p,
        "n_base_queries": verdict.n,
        "n_tasks": int(table["task"][table["reason"] == ""].nunique()),
        "notes": "; ".join(verdict.notes),
    }


def _comparison(natural: Verdict, found: AnalysisResult | None) -> str:
    """The outcome on counterfactual labels in a sentence, and whether it differs."""
    if found is None:
        return "no counterfactual labels: the study has no pairs"
    verdict = found.verdict
    if math.isnan(verdict.effect):
        return f"no effect on counterfactual labels: {'; '.join(verdict.notes)}"
    low, high = verdict.interval
    differs = (
        "" if verdict.verdict == natural.verdict else ", which differs from the verdict on natural labels"
    )
    n_tasks = found.table["task"][found.table["reason"] == ""].nunique()
    return (
        f"on counterfactual labels ({n_tasks} tasks): {verdict.effect:.3f} [{low:.3f}, {high:.3f}], "
        f"{verdict.verdict}{differs}"
    )
