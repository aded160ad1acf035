"""Area under the ROC curve: the chance that a positive row scores above a negative one, ties counting half.

Every AUROC of the library comes from here. What the functions differ in is what they do many times at once:

- `auroc`: one column of scores;
- `column_aurocs`: a thousand columns, each with its own labels, as in a permutation test;
- `crossed_aurocs`: a few columns, each under the same thousand labellings;
- `resampled_auroc`: one column under a thousand weightings of its rows;
- `auroc_influence`: many columns, with what each row contributes, as for resampling a matrix of cells;
- `grouped_auroc`: one column by pairs of groups (base queries), which many columns are resampled by together.

*Strata* are sets of rows whose scores can be compared. Out-of-fold scores have their folds as strata: a fold
whose training rows hold more positives scores higher on the whole and holds fewer positives itself, so pairs
across folds would pull the AUROC of a null probe below 0.5 (Parker, Guenter and Bedo 2007). Scikit-learn's
`roc_auc_score` has no strata; without them it is what the tests compare with.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from scipy.stats import rankdata  # noqa: TID251 - the one place

_DIGITS_OF_A_TIE = 9
"""Scores that agree to so many digits of the largest one tie in `auroc_influence`."""


def auroc(
    labels: Bool[np.ndarray, " n"],
    scores: Float[np.ndarray, " n"],
    *,
    strata: Shaped[np.ndarray, " n"] | None = None,
) -> float:
    """The AUROC within strata.

    Rows with NaN scores are left out. NaN when no stratum holds both classes.

    Example:
        >>> auroc(np.array([True, False, True]), np.array([0.9, 0.2, 0.2]))
        0.75
    """
    return float(resampled_auroc(labels, scores, weights=np.ones((1, len(labels))), strata=strata)[0])


def column_aurocs(
    labels: Bool[np.ndarray, "n m"], scores: Float[np.ndarray, "n m"], *, strata: Shaped[np.ndarray, " n"]
) -> Float[np.ndarray, " m"]:
    """`auroc` of each column of scores against its own column of labels; NaN for columns with NaN scores."""
    return _by_ranks(labels, scores, strata, lambda ranks, positive: (ranks * positive).sum(axis=0))


def crossed_aurocs(
    labels: Bool[np.ndarray, "n k"], scores: Float[np.ndarray, "n m"], *, strata: Shaped[np.ndarray, " n"]
) -> Float[np.ndarray, "m k"]:
    """`auroc` of each column of scores against each column of labels; each score is ranked once."""
    return _by_ranks(labels, scores, strata, lambda ranks, positive: ranks.T @ positive)


def _by_ranks(
    labels: Bool[np.ndarray, "n k"],
    scores: Float[np.ndarray, "n m"],
    strata: Shaped[np.ndarray, " n"],
    summed: Callable[[Float[np.ndarray, "rows m"], Bool[np.ndarray, "rows k"]], Float[np.ndarray, "*shape"]],
) -> Float[np.ndarray, "*shape"]:
    """AUROCs from the ranks of the positive rows in each stratum, as `summed` adds them up (Mann-Whitney)."""
    # Of no rows, so that columns without any have their NaN too.
    won, pairs = summed(scores[:0], labels[:0]), np.zeros(labels.shape[1])
    for stratum in np.unique(strata):
        rows = strata == stratum
        positives = labels[rows].sum(axis=0)
        ranks = np.asarray(rankdata(scores[rows], axis=0))
        won = won + (summed(ranks, labels[rows]) - positives * (positives + 1) / 2)
        pairs += positives * (rows.sum() - positives)
    return _share(won, np.broadcast_to(pairs, won.shape))


def resampled_auroc(
    labels: Bool[np.ndarray, " n"],
    scores: Float[np.ndarray, " n"],
    *,
    weights: Shaped[np.ndarray, "draws n"],
    strata: Shaped[np.ndarray, " n"] | None = None,
) -> Float[np.ndarray, " draws"]:
    """`auroc` under each row of weights, for instance how often a bootstrap drew each row.

    The rows are sorted once for all draws. A row that is drawn twice is compared with its own copy.
    """
    seen = np.isfinite(scores)
    of_row = np.zeros(len(labels), dtype=int) if strata is None else np.unique(strata, return_inverse=True)[1]
    won, pairs = np.zeros(len(weights)), np.zeros(len(weights))
    for stratum in range(of_row.max(initial=-1) + 1):
        rows = np.flatnonzero(seen & (of_row == stratum))
        if len(rows) == 0:
            continue
        rows = rows[np.argsort(scores[rows], kind="stable")]
        starts = np.flatnonzero(np.diff(scores[rows], prepend=-np.inf) > 0)
        drawn = np.asarray(weights[:, rows], dtype=np.float64)
        positive = np.add.reduceat(drawn * labels[rows], starts, axis=1)
        negative = np.add.reduceat(drawn * ~labels[rows], starts, axis=1)
        below = np.cumsum(negative, axis=1) - 0.5 * negative
        won += (positive * below).sum(axis=1)
        pairs += positive.sum(axis=1) * negative.sum(axis=1)
    return _share(won, pairs)


def auroc_influence(
    labels: Bool[np.ndarray, " n"], scores: Float[np.ndarray, "n m"]
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, "n m"]]:
    """AUROC of each column, and each row's influence on it.

    To first order the AUROC under row weights u is auroc + influence' u; influences sum to zero. They are the
    placement values of DeLong, DeLong and Clarke-Pearson (1988). Needs a row of each class. Scores of a
    column that differ by rounding alone tie, as those that the removal of a subspace made constant do.
    """
    size = np.abs(scores).max(axis=0, initial=0.0)
    scores = np.round(scores / np.where(size > 0, size, 1.0), _DIGITS_OF_A_TIE)
    n_positive, n_negative = int(labels.sum()), int((~labels).sum())
    ranks = rankdata(scores, axis=0)
    beaten = np.empty_like(scores)
    beaten[labels] = (ranks[labels] - rankdata(scores[labels], axis=0)) / n_negative
    beaten[~labels] = 1 - (ranks[~labels] - rankdata(scores[~labels], axis=0)) / n_positive
    found = beaten[labels].mean(axis=0)
    return found, (beaten - found) / np.where(labels, n_positive, n_negative)[:, None]


@dataclass(frozen=True, eq=False)
class _Block:
    """Pairs of one stratum, sorted by the groups of the two rows."""

    positive: Int[np.ndarray, " p"]
    """Groups that hold positive rows of the stratum, in order."""
    negative: Int[np.ndarray, " q"]
    wins: Float[np.ndarray, "p q"]
    """Pairs won, ties one half."""
    n_positive: Float[np.ndarray, " p"]
    n_negative: Float[np.ndarray, " q"]

    def under(
        self, weights: Float[np.ndarray, "resamples groups"]
    ) -> tuple[Float[np.ndarray, " resamples"], Float[np.ndarray, " resamples"]]:
        """Pairs won and pairs, where group g was drawn as often as its weight says."""
        positive, negative = weights[:, self.positive], weights[:, self.negative]
        both, at, beside = np.intersect1d(self.positive, self.negative, return_indices=True)
        once = weights[:, both] - weights[:, both] ** 2
        won = np.einsum("rq,rq->r", positive @ self.wins, negative) + once @ self.wins[at, beside]
        pairs = (positive @ self.n_positive) * (negative @ self.n_negative)
        return won, pairs + once @ (self.n_positive[at] * self.n_negative[beside])


@dataclass(frozen=True, eq=False)
class GroupedAuroc:
    """One AUROC as counts of pairs of groups, made by `grouped_auroc`, to be resampled with others.

    A resample that draws group g w_g times weights the pairs of the groups g and h by w_g w_h. Counts are
    multiples of one half, so that sums of them are exact in any order.
    """

    blocks: tuple[_Block, ...]

    @property
    def estimate(self) -> float:
        """The AUROC itself; NaN without a pair."""
        won = sum(float(block.wins.sum()) for block in self.blocks)
        pairs = sum(float(block.n_positive.sum() * block.n_negative.sum()) for block in self.blocks)
        return float(_share(np.array(won), np.array(pairs)))

    @property
    def groups(self) -> Int[np.ndarray, " paired"]:
        """The groups that are in some pair, in order."""
        found = [part for block in self.blocks for part in (block.positive, block.negative)]
        return np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=int)

    def under(self, weights: Float[np.ndarray, "resamples groups"]) -> Float[np.ndarray, " resamples"]:
        """The AUROC of each resample, given how often it drew each group.

        A group that is drawn twice is not compared with its own copy: its pairs with itself have weight w_g,
        not w_g squared, so that resamples have as many pairs within groups as the data.
        """
        won, pairs = np.zeros(len(weights)), np.zeros(len(weights))
        for block in self.blocks:
            more_won, more_pairs = block.under(weights)
            won, pairs = won + more_won, pairs + more_pairs
        return _share(won, pairs)


def grouped_auroc(
    labels: Bool[np.ndarray, " n"],
    scores: Float[np.ndarray, " n"],
    *,
    groups: Int[np.ndarray, " n"],
    strata: Int[np.ndarray, " n"],
) -> GroupedAuroc:
    """Count the pairs of one column of scores within strata.

    `groups` are numbers from 0 that mean the same group in every call, so that AUROCs of several tasks or
    probes can be resampled together. Rows of a stratum below 0 were scored by no probe: they are left out.
    Raises ValueError on NaN scores of other rows.
    """
    blocks = list[_Block]()
    for stratum in np.unique(strata[strata >= 0]):
        rows = np.flatnonzero(strata == stratum)
        rows = rows[np.argsort(groups[rows], kind="stable")]
        positive, negative = rows[labels[rows]], rows[~labels[rows]]
        if not len(positive) or not len(negative):
            continue
        if np.isnan(scores[rows]).any():
            raise ValueError(f"{int(np.isnan(scores[rows]).sum())} scores of stratum {stratum} are NaN")
        won = (np.sign(scores[positive][:, None] - scores[negative][None]) + 1) / 2
        first, starts, n_positive = np.unique(groups[positive], return_index=True, return_counts=True)
        second, second_starts, n_negative = np.unique(groups[negative], return_index=True, return_counts=True)
        wins = np.add.reduceat(np.add.reduceat(won, starts, axis=0), second_starts, axis=1)
        blocks.append(_Block(first, second, wins, n_positive.astype(float), n_negative.astype(float)))
    return GroupedAuroc(tuple(blocks))


def _share(
    won: Float[np.ndarray, "*shape"], pairs: Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape"]:
    """Pairs won among all pairs; NaN where there are none."""
    won, pairs = np.asarray(won), np.asarray(pairs)
    return np.divide(won, pairs, out=np.full(won.shape, np.nan), where=pairs > 0)
