"""Which verdicts a study can have, known once its responses are verified; how many base queries would do.

A verdict needs so many tasks, each with labels of both kinds in every part that its analysis cuts the base
queries into. A study that has less cannot have it; one that has more may still miss it. Numbers of base
queries are extrapolated: each task goes on to be satisfied and violated as often as it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.causal_ablation import edges
from if_circuits.analyses.localisation import analysis as localisation
from if_circuits.analyses.representational_similarity import analysis as similarity
from if_circuits.analyses.shared import layer_trend
from if_circuits.analyses.shared.labelled_tasks import MIN_PER_CLASS, LabelledTask, label_tasks
from if_circuits.analyses.shared.probing import shortage_in_folds, study_folds
from if_circuits.analyses.shared.score_table import least_task_p
from if_circuits.analyses.specificity import analysis as specificity
from if_circuits.errors import InputError
from if_circuits.generation.sampling import sampled
from if_circuits.probes.folds import grouped_folds
from if_circuits.statistics.verdicts import MIN_GROUPS

_Parts = Sequence[Bool[np.ndarray, " queries"]]
_MOST_TASKS = 64
"""As many are looked at for the fewest whose signs give a small p."""


@dataclass(frozen=True)
class Verified:
    """The sampled, verified responses of a study, as the analyses will see them."""

    responses: pd.DataFrame
    settings: AnalysisSettings

    @cached_property
    def base_queries(self) -> list[str]:
        return sorted(set(self.responses["base_query"]))

    @cached_property
    def tasks(self) -> list[LabelledTask]:
        # Responses with a token have `last`, at which every analysis reads.
        return label_tasks(self.responses, self._queries, self.responses["n_tokens"].to_numpy() > 0)

    @cached_property
    def folds(self) -> Int[np.ndarray, " queries"]:
        return study_folds(self.base_queries, self.settings)

    @cached_property
    def halves(self) -> _Parts:
        half = grouped_folds(self.base_queries, n_folds=2, seed=self.settings.seed)
        return half == 0, half == 1

    @cached_property
    def reporting(self) -> _Parts:
        """The halves that similarity reports on."""
        return similarity.cut_queries(self.base_queries, seed=self.settings.seed)[1]

    @cached_property
    def pairs(self) -> Mapping[str, int]:
        """Pairs of texts for interchange, by task."""
        counts = localisation.pairs_of(self.responses, self.settings)["task"].value_counts()
        return {str(task): int(n) for task, n in counts.items()}

    def twins(self, task: str, part: Bool[np.ndarray, " queries"]) -> int:
        """Unconstrained responses of a task in a part of the base queries."""
        bare = ~self.responses["constrained"].to_numpy(dtype=bool)
        return int((bare & (self.responses["task"] == task).to_numpy() & part[self._queries]).sum())

    @property
    def _queries(self) -> Int[np.ndarray, " n"]:
        places = {name: place for place, name in enumerate(self.base_queries)}
        return self.responses["base_query"].map(places).to_numpy(dtype=np.int64)


@dataclass(frozen=True)
class Need:
    """What an analysis's verdict needs at least."""

    tasks: int
    families: int = 1
    """Of those that the claim orders, where there are to be several."""
    labels: int = MIN_PER_CLASS
    """Responses of either label, of each of those tasks."""
    share: float = 1.0
    """Of the base queries, those on which the labels count."""
    also: str = ""
    """What else of each task, in words."""
    lacks: Callable[[Verified, LabelledTask], bool] = lambda _, task: bool(task.shortage())
    """Whether a task has too little."""
    seen: Callable[[Verified, LabelledTask], float] = lambda *_: math.inf
    """Share of what else is needed that the task has."""
    tested: bool = False
    """Whether a test over tasks stands before every verdict: then their signs must allow a small p."""
    by_task: bool = False
    """Whether each task says something by itself, so that the model is used for fewer tasks too."""


def _in_folds(at: Verified, task: LabelledTask) -> bool:
    return bool(shortage_in_folds(task, at.folds, n_folds=at.settings.n_folds))


def _in_parts(task: LabelledTask, parts: _Parts) -> bool:
    return any(task.where(part[task.queries]).shortage() for part in parts)


def _share_of_pairs(at: Verified, task: LabelledTask) -> float:
    return at.pairs.get(task.name, 0) / localisation.MIN_PAIRS


def _share_of_twins(at: Verified, task: LabelledTask) -> float:
    return min(at.twins(task.name, part) for part in at.halves) / specificity.MIN_ROWS


_halves = Need(
    0,
    labels=2 * MIN_PER_CLASS,
    also="half of them in each half of the base queries",
    lacks=lambda at, task: _in_parts(task, at.halves),
)
NEEDS: Mapping[str, Need] = {
    "specialist_vs_general": Need(2, lacks=_in_folds),
    "cross_task_transfer": Need(2, lacks=_in_folds, tested=True),
    "causal_ablation": replace(_halves, tasks=edges.MIN_TASKS_FOR_A_SHARE),
    "localisation": replace(
        _halves,
        tasks=layer_trend.MIN_TASKS_FOR_A_TREND,
        families=layer_trend.MIN_FAMILIES_FOR_A_TREND,
        also=f"{_halves.also}, and {localisation.MIN_PAIRS} pairs of texts for interchange",
        seen=_share_of_pairs,
        by_task=True,
    ),
    "layer_stratification": Need(
        layer_trend.MIN_TASKS_FOR_A_TREND, layer_trend.MIN_FAMILIES_FOR_A_TREND, lacks=_in_folds
    ),
    "temporal_dynamics": Need(1, lacks=_in_folds),
    "representational_similarity": Need(
        similarity.MIN_TASKS_FOR_PAIRS,
        labels=2 * MIN_PER_CLASS,
        share=1 - 1 / similarity.FOLDS,
        also="half of them in each half of the base queries that report",
        lacks=lambda at, task: _in_parts(task, at.reporting),
    ),
    "specificity": replace(
        _halves,
        tasks=specificity.MIN_TASKS_FOR_A_MEAN,
        also=f"{_halves.also}, and as many unconstrained responses",
        seen=_share_of_twins,
    ),
}


FOR_SUPPORT = ("temporal_dynamics",)
"""Analyses that a test over tasks keeps from being supported, but not from the contrary."""


@dataclass(frozen=True)
class Shortage:
    """A verdict that a study cannot have."""

    analysis: str
    lack: str
    """What it cannot be: "can have no verdict", or "cannot be supported"."""
    why: str
    base_queries: int | None
    """How many would do at the rates seen; None where no number would."""
    why_none: str
    """Why no number would; empty where one does."""
    tasks: tuple[str, ...]
    """Those that have enough for the analysis."""

    @property
    def skips_model(self) -> bool:
        """Whether the analysis is spared its work on the model."""
        return not (NEEDS[self.analysis].by_task and self.tasks)

    def __str__(self) -> str:
        remedy = (
            f"no number of base queries would do, since {self.why_none}"
            if self.base_queries is None
            else f"at the rates seen, about {self.base_queries} base queries would do"
        )
        return f"{self.analysis} {self.lack}: {self.why}; {remedy}"


def shortages(
    responses: pd.DataFrame, analyses: Sequence[str], settings: AnalysisSettings
) -> dict[str, Shortage]:
    """The analyses that can have no verdict on these verified responses, by name.

    Args:
        responses: With the columns task, family, base_query, constrained, temperature, n_tokens and verdict.
        analyses: Those to look at.
        settings: Of the analyses: what decides their folds, halves and tests.
    """
    at = Verified(sampled(responses).reset_index(drop=True), settings)
    found = {name: _shortage(name, NEEDS[name], at, "can have no verdict") for name in analyses}
    return {name: shortage for name, shortage in found.items() if shortage is not None}


def unsupportable(
    responses: pd.DataFrame, analyses: Sequence[str], settings: AnalysisSettings
) -> dict[str, Shortage]:
    """Of the analyses that can have a verdict, those that can only come out against their claim."""
    at = Verified(sampled(responses).reset_index(drop=True), settings)
    none = shortages(responses, analyses, settings)
    found = {
        name: _shortage(name, replace(NEEDS[name], tested=True), at, "cannot be supported")
        for name in analyses
        if name in FOR_SUPPORT and name not in none
    }
    return {name: shortage for name, shortage in found.items() if shortage is not None}


def _shortage(name: str, need: Need, at: Verified, lack: str) -> Shortage | None:
    n = len(at.base_queries)
    able = [task for task in at.tasks if not _lacks(need, at, task)]
    lacking: list[str] = []
    if not _suffices(able, need, settings=at.settings):
        lacking.append(_why(able, need, at))
    if n < MIN_GROUPS:
        lacking.append(f"{n} base queries, and {MIN_GROUPS} are needed")
    if not lacking:
        return None
    base_queries, why_none = _would_do(able, need, at)
    return Shortage(name, lack, "; ".join(lacking), base_queries, why_none, tuple(task.name for task in able))


def _lacks(need: Need, at: Verified, task: LabelledTask) -> bool:
    try:
        return need.lacks(at, task) or need.seen(at, task) < 1
    except InputError:  # fewer base queries than parts
        return True


def _suffices(tasks: Sequence[LabelledTask], need: Need, *, settings: AnalysisSettings) -> bool:
    if need.families > 1:  # a trend over families knows those alone that its claim orders
        tasks = [task for task in tasks if task.family in layer_trend.ORDER]
    if len(tasks) < need.tasks or len({task.family for task in tasks}) < need.families:
        return False
    return not need.tested or least_task_p(len(tasks), settings) <= settings.alpha


def _why(able: Sequence[LabelledTask], need: Need, at: Verified) -> str:
    fewest = need.tasks if not need.tested else _fewest(need, at.settings) or need.tasks
    wanted = "1 task is" if fewest == 1 else f"{fewest} tasks are"
    if need.families > 1:
        wanted = f"{fewest} tasks of {need.families} families are"
    also = f", {need.also}" if need.also else ""
    return (
        f"{len(able)} of {len(at.tasks)} tasks have {need.labels} satisfied and {need.labels} violated "
        f"responses{also}, and {wanted} needed"
    )


def _fewest(need: Need, settings: AnalysisSettings) -> int | None:
    """The fewest tasks whose signs give a small p; None where there are too few permutations for it."""
    numbers = range(need.tasks, _MOST_TASKS)
    return next((n for n in numbers if least_task_p(n, settings) <= settings.alpha), None)


def _would_do(able: Sequence[LabelledTask], need: Need, at: Verified) -> tuple[int | None, str]:
    """Base queries at which enough tasks have enough; None, and why, where there are none."""
    n = len(at.base_queries)
    ready = {task.name for task in able}
    wanted = {task.name: n if task.name in ready else _wanted(task, need, at) for task in at.tasks}
    for size in sorted({size for size in wanted.values() if size is not None}):
        there = [task for task in at.tasks if (own := wanted[task.name]) is not None and own <= size]
        if _suffices(there, need, settings=at.settings):
            return max(size, MIN_GROUPS), ""
    if need.tested and _fewest(need, at.settings) is None:
        return None, f"{at.settings.n_permutations} permutations give no p of {at.settings.alpha:g}"
    if not _suffices(at.tasks, need, settings=at.settings):
        families = len({task.family for task in at.tasks})
        return None, f"the study has {len(at.tasks)} tasks of {families} families"
    never = [task.name for task in at.tasks if wanted[task.name] is None]
    return None, f"too many tasks have none of a kind: {', '.join(never)}"


def _wanted(task: LabelledTask, need: Need, at: Verified) -> int | None:
    """Base queries at which a task that has too little would have enough, more than there are."""
    n, satisfied = len(at.base_queries), int(task.satisfied.sum())
    have, seen = min(satisfied, len(task.satisfied) - satisfied), need.seen(at, task)
    if not have or not seen:
        return None
    return max(n + 1, math.ceil(need.labels * n / (need.share * have)), math.ceil(n / seen))
