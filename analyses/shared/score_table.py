"""Rows of AUROCs with intervals, resampled together, so that means and differences of rows have
intervals too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.shared.probing import ProbingRows
from if_circuits.probes.across_folds import AcrossFolds
from if_circuits.probes.evaluate import balanced_accuracy
from if_circuits.statistics.auroc import GroupedAuroc, grouped_auroc
from if_circuits.statistics.bootstrap import Interval, bootstrap_draws, interval_of
from if_circuits.statistics.permutation import paired_permutation
from if_circuits.statistics.ratio import Resampled, ratio_interval


@dataclass(frozen=True, eq=False)
class Score:
    """How well one probe does on one task: a row of a table."""

    columns: Mapping[str, object]
    auroc: GroupedAuroc
    n_queries: int
    """Base queries that are resampled, whether or not the task has rows of them."""


def score(
    rows: ProbingRows,
    task: int,
    values: Float[np.ndarray, " n"],
    *,
    threshold: Float[np.ndarray, " n"] | float = 0.0,
    **columns: object,
) -> Score:
    """Out-of-fold values of the stack as a score of its task number `task`.

    `threshold` is the value above which a response is called satisfied, for the balanced accuracy;
    `columns` say which probe it was.
    """
    own, labelled = rows.of_task[task], rows.tasks[task]
    return score_of(
        rows,
        task,
        values[own],
        labelled.satisfied,
        rows.fold_of_row[own],
        threshold=np.broadcast_to(threshold, values.shape)[own],
        **columns,
    )


def score_of(
    rows: ProbingRows,
    task: int,
    values: Float[np.ndarray, " rows"],
    labels: Bool[np.ndarray, " rows"],
    folds: Int[np.ndarray, " rows"],
    *,
    threshold: Float[np.ndarray, " rows"],
    **columns: object,
) -> Score:
    """`score` on labels and folds of the task's rows that are not its own: those of a control task."""
    labelled = rows.tasks[task]
    described = {
        "task": labelled.name,
        "family": labelled.family,
        "position": rows.position,
        **columns,
        "balanced_accuracy": balanced_accuracy(labels, values > threshold),
        "n": len(labelled.rows),
        "n_satisfied": int(labelled.satisfied.sum()),
        "n_violated": len(labelled.rows) - int(labelled.satisfied.sum()),
        "n_undecided": rows.undecided[labelled.name],
        "n_base_queries": len(np.unique(labelled.queries)),
        "reason": "",
    }
    auroc = grouped_auroc(labels, values, groups=labelled.queries, strata=folds)
    return Score(described, auroc, rows.n_queries)


def score_fitted(
    rows: ProbingRows, task: int, found: AcrossFolds, *, column: int, **columns: object
) -> Score:
    """One column of `found` as a score of a task, with its training rows, n / d and penalty.

    The rows of `found` are the whole stack, or those of the task alone.
    """
    values, threshold = found.scores[:, column], found.prior[:, column]
    if len(values) < len(rows.rows):
        values, threshold = (rows.spread(task, part) for part in (values, threshold))
    n_train = float(found.n[column].mean())
    return score(
        rows,
        task,
        values,
        threshold=threshold,
        **columns,
        n_train=n_train,
        d=found.fits.weight.shape[1],
        n_over_d=n_train / found.fits.weight.shape[1],
        C=float(np.median(found.C[column])),
        converged=bool(found.converged[column].all()),
    )


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Scores with their bootstrap draws over base queries."""

    frame: pd.DataFrame
    estimates: Float[np.ndarray, " scores"]
    draws: Float[np.ndarray, "resamples scores"]
    confidence: float
    n_groups: int
    """Base queries with at least one pair."""

    def interval(self, weights: Float[np.ndarray, " scores"]) -> Interval:
        """A weighted sum of scores, such as a difference of means."""
        used = weights != 0  # a score that is undefined on a resample concerns no sum without it
        estimate = float(self.estimates[used] @ weights[used])
        return self.interval_from(estimate, self.draws[:, used] @ weights[used])

    def interval_from(self, estimate: float, draws: Float[np.ndarray, " resamples"]) -> Interval:
        """Any statistic of the scores, from its value and its draws."""
        return interval_of(estimate, draws, n_groups=self.n_groups, confidence=self.confidence)

    def ratio(self, above: Float[np.ndarray, " scores"], below: Float[np.ndarray, " scores"]) -> Interval:
        """How far one mean of scores lies above chance, as a share of how far another does.

        NaN, with the reason, where the interval of the second reaches chance (`statistics.ratio`).
        """
        return ratio_interval(
            self._excess(above), self._excess(below), n_groups=self.n_groups, confidence=self.confidence
        )

    def _excess(self, weights: Float[np.ndarray, " scores"]) -> Resampled:
        used = weights != 0
        estimate = float((self.estimates[used] - 0.5) @ weights[used])
        return Resampled(estimate, (self.draws[:, used] - 0.5) @ weights[used])

    def p(self, weights: Float[np.ndarray, " scores"], *, threshold: float = 0.0) -> float:
        """Two-sided p of a weighted sum of scores being `threshold`, by inverting its percentile interval."""
        used = weights != 0
        return bootstrap_p(self.draws[:, used] @ weights[used], threshold=threshold)

    def average(self, chosen: Bool[np.ndarray, " scores"] | pd.Series) -> Float[np.ndarray, " scores"]:
        """Weights of the mean over the chosen scores."""
        mask = np.asarray(chosen, dtype=bool)
        return mask / mask.sum()

    def means(self, by: Sequence[str]) -> pd.DataFrame:
        """Mean AUROC over tasks for each combination of the columns `by`, with intervals, the total n and the
        mean n / d."""
        records: list[dict[str, object]] = []
        for _, part in self.frame.groupby(list(by), sort=False, dropna=False):
            mean = self.interval(self.average(self.frame.index.isin(part.index)))
            values = {"auroc": mean.estimate, "low": mean.low, "high": mean.high, "n_tasks": len(part)}
            sizes = {
                "n": int(part["n"].sum()),
                "n_over_d": part["n_over_d"].mean() if "n_over_d" in part else np.nan,
                "n_base_queries": mean.n_groups,
            }
            records.append({**{name: part[name].iloc[0] for name in by}, **values, **sizes})
        return pd.DataFrame(records)


def score_table(scores: Sequence[Score], settings: AnalysisSettings) -> ScoreTable:
    """Scores as a table with intervals; raises ValueError when there is no score."""
    if not scores:
        raise ValueError("there is no score")
    aurocs = [one.auroc for one in scores]
    draws = bootstrap_draws(
        np.arange(scores[0].n_queries),
        lambda weights: np.stack([each.under(weights) for each in aurocs], axis=1),
        n_resamples=settings.n_bootstrap,
        seed=settings.seed,
    )
    n_groups = len(np.unique(np.concatenate([each.groups for each in aurocs])))
    confidence = 1 - settings.alpha
    estimates = np.array([each.estimate for each in aurocs])
    intervals = [
        interval_of(estimate, column, n_groups=n_groups, confidence=confidence)
        for estimate, column in zip(estimates.tolist(), draws.T, strict=True)
    ]
    frame = pd.DataFrame([dict(one.columns) for one in scores])
    frame["auroc"] = estimates
    frame["low"] = [interval.low for interval in intervals]
    frame["high"] = [interval.high for interval in intervals]
    return ScoreTable(frame, estimates, draws, confidence, n_groups)


def bootstrap_p(draws: Float[np.ndarray, " resamples"], *, threshold: float) -> float:
    """Two-sided p of a statistic being `threshold`: twice the smaller share of resamples beyond it.

    It is below alpha where the percentile interval of confidence 1 - alpha leaves the threshold out.
    Undefined resamples count as beyond. Source: Efron and Tibshirani 1993, section 15.4.
    """
    below, above = (~(draws > threshold)).sum(), (~(draws < threshold)).sum()
    return float(min(1.0, 2 * (1 + min(below, above)) / (1 + len(draws))))


def task_p(by_task: Float[np.ndarray, " tasks"], settings: AnalysisSettings) -> float:
    """Two-sided p of a mean over tasks being 0, by flipping signs of tasks.

    The interval over base queries takes the fitted probes as given. What a probe owes to the base
    queries it happened to train on differs from task to task, and only a test over tasks sees it. With
    fewer than six tasks p cannot fall to 0.05.
    """
    return paired_permutation(
        by_task, np.arange(len(by_task)), n_permutations=settings.n_permutations, seed=settings.seed
    ).p


def least_task_p(n_tasks: int, settings: AnalysisSettings) -> float:
    """The smallest p that `task_p` can give for so many tasks."""
    signs = 2**n_tasks
    return 2 / signs if signs <= settings.n_permutations else 2 / (1 + settings.n_permutations)
