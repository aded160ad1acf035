"""The labelled responses of each task: which rows an analysis may use, which it must leave out, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.shared.families import families_of
from if_circuits.probes.folds import grouped_folds
from if_circuits.tasks.labels import is_satisfied, is_violated

MIN_PER_CLASS = 10
"""A task with fewer satisfied or violated responses is recorded with the reason and left out of averages."""


@dataclass(frozen=True, eq=False)
class LabelledTask:
    """Constrained responses of one task with a decided verdict."""

    name: str
    family: str
    rows: Int[np.ndarray, " n"]
    """Row numbers in the source's responses and features."""
    satisfied: Bool[np.ndarray, " n"]
    queries: Int[np.ndarray, " n"]
    """Number of each row's base query; the same number means the same query in every task."""

    def where(self, keep: Bool[np.ndarray, " n"]) -> LabelledTask:
        """The chosen ones of the task's rows."""
        return replace(self, rows=self.rows[keep], satisfied=self.satisfied[keep], queries=self.queries[keep])

    def shortage(self) -> str:
        """Why the rows do not suffice for a probe; empty if they do."""
        satisfied = int(self.satisfied.sum())
        violated = len(self.satisfied) - satisfied
        if min(satisfied, violated) >= MIN_PER_CLASS:
            return ""
        return f"{satisfied} satisfied and {violated} violated responses; {MIN_PER_CLASS} of each are needed"


def labelled_tasks(source: ActivationSource, position: str) -> list[LabelledTask]:
    """Every task's constrained, decided responses that have `position`, in the order of the figures."""
    # A position is absent from a response at every layer or at none.
    present = np.asarray(np.isfinite(source.features(source.layers[0], position)).all(axis=1))
    return label_tasks(source.responses, query_codes(source), present)


def label_tasks(
    responses: pd.DataFrame, queries: Int[np.ndarray, " n"], present: Bool[np.ndarray, " n"]
) -> list[LabelledTask]:
    """The same of responses whose base queries are numbered; those that are not `present` are left out."""
    satisfied = is_satisfied(responses)
    usable = responses["constrained"].to_numpy(dtype=bool) & (satisfied | is_violated(responses)) & present
    names = responses["task"].to_numpy()
    tasks: list[LabelledTask] = []
    for name, family in families_of(responses).items():
        rows = np.flatnonzero(usable & (names == name))
        tasks.append(LabelledTask(name, family, rows, satisfied[rows], queries[rows]))
    return tasks


def query_codes(source: ActivationSource, table: pd.DataFrame | None = None) -> Int[np.ndarray, " n"]:
    """The base query of each row of a table (the responses), numbered in the order of their names."""
    rows = source.responses if table is None else table
    return np.searchsorted(source.base_queries, rows["base_query"].to_numpy(dtype=str))


def text_codes(source: ActivationSource) -> Int[np.ndarray, " n"]:
    """Number of each response's text: the two rows of a counterfactual pair have the same."""
    responses = source.responses
    return pd.factorize(responses["pair"] if "pair" in responses else responses["response_id"])[0]


def query_halves(source: ActivationSource, *, seed: int) -> Int[np.ndarray, " queries"]:
    """Half (0 or 1) of each base query, by its number: what one half fits, the other tests.

    Raises InputError when there are fewer than two base queries.
    """
    return grouped_folds(source.base_queries, n_folds=2, seed=seed)
