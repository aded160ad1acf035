"""Which verdicts a study can have, known once its responses are verified; how many base queries would do.

What an analysis needs at least: so many tasks, each with so many responses of either label. A study that has
less cannot have its verdict; one that has more may still miss it. Numbers of base queries are extrapolated:
each task goes on to be satisfied and violated as often as it was.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from if_circuits.analyses.causal_ablation import edges
from if_circuits.analyses.representational_similarity import analysis as similarity
from if_circuits.analyses.shared import layer_trend
from if_circuits.analyses.shared.labelled_tasks import MIN_PER_CLASS
from if_circuits.analyses.specificity import analysis as specificity
from if_circuits.generation.sampling import sampled


@dataclass(frozen=True)
class Need:
    """What an analysis's verdict needs at least."""

    tasks: int
    labels: int = MIN_PER_CLASS
    """Responses of either label, of each of those tasks."""
    families: int = 1


_IN_BOTH_HALVES = 2 * MIN_PER_CLASS
NEEDS: Mapping[str, Need] = {
    "specialist_vs_general": Need(2),
    "cross_task_transfer": Need(2),
    "causal_ablation": Need(edges.MIN_TASKS_FOR_A_SHARE, _IN_BOTH_HALVES),
    "localisation": Need(1, _IN_BOTH_HALVES),
    "layer_stratification": Need(
        layer_trend.MIN_TASKS_FOR_A_TREND, families=layer_trend.MIN_FAMILIES_FOR_A_TREND
    ),
    "temporal_dynamics": Need(1),
    "representational_similarity": Need(similarity.MIN_TASKS_FOR_PAIRS, _IN_BOTH_HALVES),
    "specificity": Need(specificity.MIN_TASKS_FOR_A_MEAN, _IN_BOTH_HALVES),
}


@dataclass(frozen=True)
class Shortage:
    """A verdict that a study cannot have."""

    analysis: str
    why: str
    base_queries: int | None
    """How many would do at the rates seen; None where no number would."""

    def __str__(self) -> str:
        remedy = (
            "no number of base queries would do"
            if self.base_queries is None
            else f"at the rates seen, about {self.base_queries} base queries would do"
        )
        return f"{self.analysis} can have no verdict: {self.why}; {remedy}"


def shortages(responses: pd.DataFrame, analyses: Sequence[str]) -> dict[str, Shortage]:
    """The analyses that can have no verdict on these verified responses, by name.

    Args:
        responses: With the columns task, family, base_query, constrained, temperature and verdict.
        analyses: Those to look at.
    """
    rows = sampled(responses)
    rows = rows[rows["constrained"]]
    n_queries = rows["base_query"].nunique()
    counts = pd.crosstab(rows["task"], rows["verdict"]).reindex(
        columns=["satisfied", "violated"], fill_value=0
    )
    fewer = counts.min(axis=1)
    families = rows.groupby("task")["family"].first()
    found: dict[str, Shortage] = {}
    for name in analyses:
        need = NEEDS[name]
        enough = fewer >= need.labels
        if _suffices(families[enough[enough].index], need):
            continue
        found[name] = Shortage(name, _why(enough, need), _would_do(fewer, families, n_queries, need))
    return found


def _suffices(families: pd.Series, need: Need) -> bool:
    return len(families) >= need.tasks and families.nunique() >= need.families


def _why(enough: pd.Series, need: Need) -> str:
    of_families = f" of {need.families} families" if need.families > 1 else ""
    return (
        f"{int(enough.sum())} of {len(enough)} tasks have {need.labels} satisfied and {need.labels} violated "
        f"responses, and {need.tasks} tasks{of_families} are needed"
    )


def _would_do(fewer: pd.Series, families: pd.Series, n_queries: int, need: Need) -> int | None:
    """Base queries at which enough tasks have enough labels."""
    wanted = {
        str(task): math.ceil(need.labels * n_queries / int(count)) for task, count in fewer.items() if count
    }
    for n in sorted(set(wanted.values())):
        if _suffices(families[[task for task, at in wanted.items() if at <= n]], need):
            return n
    return None
