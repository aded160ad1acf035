"""Directions of "satisfied" and the angles between those of different tasks, from two halves of the data.

With a0, a1 the directions of task A estimated on either half, and b0, b1 those of B, the noise of a0 is
independent of that of b1. So the products a0 b1, a1 b0, a0 a1 and b0 b1 are unbiased, and so, to first
order, is

    (a0 b1)(a1 b0) / ((a0 a1)(b0 b1)),

the squared cosine of the angle between the true directions: Spearman's correction for attenuation. It is 0 in
expectation for unrelated tasks, whatever n and d are, where the squared cosine of two noisy estimates is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from if_circuits.analyses.shared.labelled_tasks import LabelledTask
from if_circuits.statistics.bootstrap import bootstrap_draws
from if_circuits.statistics.ratio import Resampled

_BLOCK = 64
"""Resamples held at a time, since each holds a direction of every task."""


@dataclass(frozen=True, eq=False)
class DirectionProducts:
    """Inner products of directions from the first half (rows) with directions from the second (columns)."""

    tasks: tuple[str, ...]
    estimate: Float[np.ndarray, "a b"]
    draws: Float[np.ndarray, "resamples a b"]
    """The same on resampled base queries; a task whose resample lacks a class is NaN there."""
    n_queries: int

    def over_ceiling(self, chosen: Bool[np.ndarray, " tasks"]) -> tuple[Resampled, Resampled]:
        """The mean over pairs of chosen tasks of what they share, and that of their ceilings.

        Every task counts alike: products are scaled so that all ceilings are 1 in the data as they are. A
        ratio of means is not thrown about by a ceiling that comes near 0 in some resample.
        """
        index = np.flatnonzero(chosen)
        size = np.sqrt(np.abs(np.diagonal(self.estimate)[index]))
        first, second = np.triu_indices(len(index), k=1)
        everything = np.concatenate([self.estimate[None], self.draws])
        scaled = everything[:, index[:, None], index] / np.outer(size, size)
        own = np.diagonal(scaled, axis1=1, axis2=2)
        shared = (scaled[:, first, second] * scaled[:, second, first]).mean(axis=1)
        ceiling = (own[:, first] * own[:, second]).mean(axis=1)
        return Resampled(float(shared[0]), shared[1:]), Resampled(float(ceiling[0]), ceiling[1:])


def direction_products(
    features: Float[np.ndarray, "n d"],
    halves: Sequence[Sequence[LabelledTask]],
    *,
    n_queries: int,
    n_bootstrap: int,
    seed: int,
) -> DirectionProducts:
    """Directions of the same tasks on both halves, and their products on resampled base queries.

    A direction is the difference of the class means in the activations' own coordinates: what "satisfied"
    moves. What tells the classes apart best, the same divided by the noise, is another question with another
    answer: where the words of a response give its label away, it follows them, and misses a direction that
    all tasks share and that causes the label (measured on models with such a direction). Every task needs
    rows of both classes in both halves.
    """
    summed = [
        [_class_sums(features[task.rows].astype(np.float64), task, n_queries) for task in half]
        for half in halves
    ]

    def products(weights: Float[np.ndarray, "resamples q"]) -> Float[np.ndarray, "resamples a b"]:
        blocks: list[Float[np.ndarray, "block a b"]] = []
        for start in range(0, len(weights), _BLOCK):
            block = weights[start : start + _BLOCK]
            first, second = (np.stack([_difference(sums, block) for sums in half], axis=1) for half in summed)
            blocks.append(first @ second.transpose(0, 2, 1))
        return np.concatenate(blocks)

    queries = np.unique(np.concatenate([task.queries for half in halves for task in half]))
    spread = np.eye(n_queries)[queries]
    draws = bootstrap_draws(queries, lambda w: products(w @ spread), n_resamples=n_bootstrap, seed=seed)
    names = tuple(task.name for task in halves[0])
    return DirectionProducts(names, products(np.ones((1, n_queries)))[0], draws, len(queries))


def _class_sums(
    X: Float[np.ndarray, "n d"], task: LabelledTask, n_queries: int
) -> Float[np.ndarray, "2 q d_plus_1"]:
    """Sums over the rows of each class and base query, and in the last column their number."""
    counted = np.column_stack([X - X.mean(axis=0), np.ones(len(X))])
    sums = np.zeros((2, n_queries, counted.shape[1]))
    np.add.at(sums, (task.satisfied.astype(int), task.queries), counted)
    return sums


def _difference(
    sums: Float[np.ndarray, "2 q d_plus_1"], weights: Float[np.ndarray, "resamples q"]
) -> Float[np.ndarray, "resamples d"]:
    """Difference of the class means under each resample; NaN where a class has no rows."""
    totals = weights @ sums
    counts = totals[:, :, -1:]
    means = np.divide(
        totals[:, :, :-1], counts, out=np.full(totals[:, :, :-1].shape, np.nan), where=counts > 0
    )
    return means[1] - means[0]
