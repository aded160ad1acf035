"""AUROC counted in pairs of base queries, so that a thousand bootstrap resamples cost one matrix product.

An AUROC is a share of won (positive, negative) pairs of rows. Sorted by the base queries of the two
rows, wins and pairs become two matrices [groups, groups], and a resample that draws base query g w_g
times weights their cells by w_g w_h. Two choices are made here:

- only pairs of the same fold count: scores of different folds come from different probes, whose
  intercepts lean against their held-out class balance and would pull a pooled AUROC below 0.5 where
  there is no signal (Parker, Guenter and Bedo 2007);
- a base query drawn twice is not compared with its own copy: the diagonal has weight w_g, not w_g
  squared, so that the resamples have as many pairs within base queries as the data.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, eq=False)
class GroupedAuroc:
    """One AUROC, or a stack of them over the same base queries, as counts of pairs."""

    wins: Float[np.ndarray, "*stack groups groups"]
    """Pairs won, ties one half: rows are the positive's base query, columns the negative's."""
    pairs: Float[np.ndarray, "*stack groups groups"]

    @property
    def estimate(self) -> Float[np.ndarray, "*stack"]:
        """The AUROC itself; NaN without a pair."""
        return _ratio(self.wins.sum(axis=(-2, -1)), self.pairs.sum(axis=(-2, -1)))

    def under(self, weights: Float[np.ndarray, "resamples groups"]) -> Float[np.ndarray, "resamples *stack"]:
        """The AUROCs of each resample, given how often it drew each base query."""
        return _ratio(_quadratic(self.wins, weights), _quadratic(self.pairs, weights))


def grouped_auroc(
    scores: Float[np.ndarray, " n"],
    labels: Bool[np.ndarray, " n"],
    groups: Int[np.ndarray, " n"],
    folds: Int[np.ndarray, " n"],
    *,
    n_groups: int,
) -> GroupedAuroc:
    """Count the pairs of one set of out-of-fold scores.

    `groups` are numbers below `n_groups` that mean the same base query in every call, so that AUROCs of
    several tasks or probes can be stacked and resampled together. Rows of a fold below 0 were scored by
    no probe: they are left out. Raises ValueError on NaN scores of other rows.
    """
    wins, pairs = np.zeros((n_groups, n_groups)), np.zeros((n_groups, n_groups))
    for fold in np.unique(folds[folds >= 0]):
        rows = np.flatnonzero(folds == fold)
        rows = rows[np.argsort(groups[rows], kind="stable")]
        positive, negative = rows[labels[rows]], rows[~labels[rows]]
        if not len(positive) or not len(negative):
            continue
        if np.isnan(scores[rows]).any():
            raise ValueError(f"{int(np.isnan(scores[rows]).sum())} scores of fold {fold} are NaN")
        difference = scores[positive][:, None] - scores[negative][None]
        won = (np.sign(difference) + 1) / 2
        positive_groups, starts = np.unique(groups[positive], return_index=True)
        negative_groups, negative_starts = np.unique(groups[negative], return_index=True)
        cells = np.ix_(positive_groups, negative_groups)
        wins[cells] += np.add.reduceat(np.add.reduceat(won, starts, axis=0), negative_starts, axis=1)
        counts = np.diff(starts, append=len(positive)), np.diff(negative_starts, append=len(negative))
        pairs[cells] += np.outer(*counts)
    return GroupedAuroc(wins, pairs)


def stack(aurocs: "list[GroupedAuroc]") -> GroupedAuroc:
    """Several AUROCs over the same base queries as one stack, in their order."""
    return GroupedAuroc(np.stack([a.wins for a in aurocs]), np.stack([a.pairs for a in aurocs]))


def _quadratic(
    counts: Float[np.ndarray, "*stack groups groups"], weights: Float[np.ndarray, "resamples groups"]
) -> Float[np.ndarray, "resamples *stack"]:
    matrices = counts.reshape(-1, *counts.shape[-2:])
    crossed = [np.einsum("rg,rg->r", weights @ matrix, weights) for matrix in matrices]
    diagonal = np.diagonal(matrices, axis1=1, axis2=2)
    sums = np.stack(crossed, axis=1) + (weights - weights**2) @ diagonal.T
    return sums.reshape(len(weights), *counts.shape[:-2])


def _ratio(
    above: Float[np.ndarray, "*shape"], below: Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape"]:
    shape = np.broadcast_shapes(above.shape, below.shape)
    return np.divide(above, below, out=np.full(shape, np.nan), where=np.broadcast_to(below > 0, shape))
