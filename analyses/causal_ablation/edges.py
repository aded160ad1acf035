"""From a directed matrix of drops to edges, their share and their asymmetry; the arithmetic of both causal
matrices.

Cell (A, B) is how much B's score falls when A's subspace is removed, beyond the mean of its control
subspaces. With the influences of the base queries on it (`drop_matrix`), its standard error, its test and a
thousand bootstrap resamples are matrix products, and the resamples of all cells belong together.

The rules:

- p of a cell is the upper tail of t = excess / s, where s^2 is the cluster variance over base queries plus
  the variance between control draws: an edge lies beyond its control distribution, not only beyond its
  centre. A cell that does not rank among the alpha most damaging of its control draws (with few draws:
  above all of them) has its rank's p-value if that is larger.
- An edge is an off-diagonal cell that survives Benjamini-Hochberg over all off-diagonal cells.
- A task is *measurable* when its score lies above its floor and removing its own subspace lowers it (both p
  <= alpha). Without that positive control a missing edge means nothing: share and asymmetry are taken among
  measurable tasks.
- Asymmetry is the mean of |r(A,B) - r(B,A)| over the pairs that at least one edge connects, where r is the
  drop as a share of B's score above its floor: otherwise a symmetric dependency between an easy and a hard
  task would look one-sided. Its null keeps noise and selection and takes the asymmetry away: in each
  bootstrap draw both directions have their mean r plus the draw's deviation, edges are found again, and the
  statistic is taken again.
- Resampling the tested queries does not vary the fits, which are most of the noise. Where subspaces were
  fitted several times, the deviations are widened by the ratio of between-fit to bootstrap variance of the
  *own* removals: only where a subspace holds something of what is measured does it matter how well it was
  fitted, and of those cells every measurable task has one. (Over all cells the ratio is that of pairs
  without a dependency, and too small.) A variance from f fits of m tasks has about (f - 1) m degrees of
  freedom, and each draw has its own one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from if_circuits.analyses.causal_ablation.drop_matrix import DropMatrix
from if_circuits.statistics.bootstrap import Interval, bootstrap_draws, interval_of
from if_circuits.statistics.correction import benjamini_hochberg
from if_circuits.statistics.permutation import permutation_p

MIN_TASKS_FOR_A_SHARE = 4
"""With fewer measurable tasks (twelve possible edges) a share of edges says little, and none is given."""


@dataclass(frozen=True, eq=False)
class Edges:
    """What follows from a matrix of drops."""

    low: Float[np.ndarray, "a b"]
    high: Float[np.ndarray, "a b"]
    """Bounds of the excess: percentiles over resampled base queries."""
    p: Float[np.ndarray, "a b"]
    p_adjusted: Float[np.ndarray, "a b"]
    """Benjamini-Hochberg over the off-diagonal cells; the diagonal, a positive control, keeps its p."""
    survives: Bool[np.ndarray, "a b"]
    measurable: Bool[np.ndarray, " b"]
    share: Interval
    """Share of surviving edges among the off-diagonal cells of measurable tasks."""
    asymmetry: float
    asymmetry_null: float
    """Mean of the asymmetry under its null."""
    asymmetry_p: float


def find_edges(matrix: DropMatrix, *, alpha: float, n_bootstrap: int, seed: int) -> Edges:
    """Apply the rules of this module to a matrix of drops."""
    off = ~np.eye(len(matrix.tasks), dtype=bool)
    p = _tail(matrix.excess, matrix.influence, matrix.control_sd)
    p = np.where(matrix.p_rank <= max(alpha, 1 / (1 + matrix.n_draws)), p, np.maximum(p, matrix.p_rank))
    adjusted = p.copy()
    adjusted[off] = benjamini_hochberg(p[off])
    above_floor = _tail(matrix.score, matrix.score_influence, np.zeros_like(matrix.score))
    measurable = (np.nan_to_num(np.diagonal(p), nan=1.0) <= alpha) & (
        np.nan_to_num(above_floor, nan=1.0) <= alpha
    )
    survives = off & (np.nan_to_num(adjusted, nan=1.0) <= alpha)

    excess_draws, score_draws = _resample(matrix, n_bootstrap=n_bootstrap, seed=seed)
    low, high = np.quantile(excess_draws, [alpha / 2, 1 - alpha / 2], axis=0)
    cells = off & measurable[:, None] & measurable[None, :]
    share = Interval(np.nan, np.nan, np.nan, len(matrix.influence), 1 - alpha, n_bootstrap)
    asymmetry = (np.nan, np.nan, np.nan)
    if measurable.sum() >= MIN_TASKS_FOR_A_SHARE:
        shares = _edges_of(matrix, excess_draws, alpha=alpha)[:, cells].mean(axis=1)
        estimate = float(survives[cells].mean())
        found = interval_of(estimate, shares, n_groups=share.n_groups, confidence=1 - alpha)
        # Resampling adds noise to noise, so a share at an end of its scale may not be reached again.
        share = replace(found, low=min(found.low, estimate), high=max(found.high, estimate))
        asymmetry = _asymmetry(matrix, survives, cells, excess_draws, score_draws, alpha=alpha, seed=seed)
    return Edges(low, high, p, adjusted, survives, measurable, share, *asymmetry)


def _tail(
    drop: Float[np.ndarray, "*draws cells"],
    influence: Float[np.ndarray, "q cells"],
    sd: Float[np.ndarray, " cells"],
) -> Float[np.ndarray, "*draws cells"]:
    """Upper tail probability of each drop (cells may be a matrix), by t over base queries."""
    n_groups = (influence != 0).sum(axis=0)
    variance = n_groups / np.maximum(n_groups - 1, 1) * (influence**2).sum(axis=0) + sd**2
    # Where nothing varies, a drop is either certain (perfect before, tied after) or absent.
    certain = np.where(drop > 1e-9, np.inf, 0.0)
    t = np.divide(drop, np.sqrt(variance), out=certain, where=variance > 0)
    return np.where(np.isnan(drop), np.nan, stats.t.sf(t, np.maximum(n_groups - 1, 1)))


def _resample(
    matrix: DropMatrix, *, n_bootstrap: int, seed: int
) -> tuple[Float[np.ndarray, "draws a b"], Float[np.ndarray, "draws b"]]:
    """Excess and score on resampled base queries, to first order in the weights."""
    n_queries, n_tasks = len(matrix.influence), len(matrix.tasks)
    influences = np.concatenate([matrix.influence.reshape(n_queries, -1), matrix.score_influence], axis=1)
    changes = bootstrap_draws(
        np.arange(n_queries), lambda weights: weights @ influences, n_resamples=n_bootstrap, seed=seed
    )
    excess = matrix.excess + changes[:, : n_tasks**2].reshape(-1, n_tasks, n_tasks)
    return excess, matrix.score + changes[:, n_tasks**2 :]


def _edges_of(
    matrix: DropMatrix, excess: Float[np.ndarray, "draws a b"], *, alpha: float
) -> Bool[np.ndarray, "draws a b"]:
    """Edges of every draw: Benjamini-Hochberg over its off-diagonal cells; NaN counts in the family, never
    survives.
    """
    off = ~np.eye(len(matrix.tasks), dtype=bool)
    p = np.nan_to_num(_tail(excess, matrix.influence, matrix.control_sd)[:, off], nan=1.0)
    ascending = np.sort(p, axis=1)
    passes = ascending <= alpha * np.arange(1, p.shape[1] + 1) / p.shape[1]
    cut = np.where(passes, ascending, -1.0).max(axis=1)
    edges = np.zeros(excess.shape, dtype=bool)
    edges[:, off] = p <= cut[:, None]
    return edges


def _asymmetry(
    matrix: DropMatrix,
    survives: Bool[np.ndarray, "a b"],
    cells: Bool[np.ndarray, "a b"],
    excess_draws: Float[np.ndarray, "draws a b"],
    score_draws: Float[np.ndarray, "draws b"],
    *,
    alpha: float,
    seed: int,
) -> tuple[float, float, float]:
    """Asymmetry of the connected pairs, its mean under the null and its p-value; NaN where nothing is
    connected.
    """
    if not (survives & cells).any():
        return np.nan, np.nan, np.nan

    def differences(lost: Float[np.ndarray, "*draws a b"]) -> Float[np.ndarray, "*draws a b"]:
        return np.where(cells, lost - np.swapaxes(lost, -1, -2), 0.0)

    def statistic(
        lost: Float[np.ndarray, "*d a b"], edges: Bool[np.ndarray, "*d a b"]
    ) -> Float[np.ndarray, "*d"]:
        connected = (edges | np.swapaxes(edges, -1, -2)) & cells
        total = (np.abs(differences(lost)) * connected).sum(axis=(-2, -1))
        return total / np.maximum(connected.sum(axis=(-2, -1)), 1)

    lost = matrix.excess / matrix.score
    # To first order, as the draws themselves: a resampled score near its floor must not blow the ratio up.
    deviation = (excess_draws - matrix.excess) / matrix.score
    deviation = deviation - (matrix.excess / matrix.score**2) * (score_draws - matrix.score)[:, None, :]
    own = np.flatnonzero(cells.any(axis=0))
    within = deviation[:, own, own].var(axis=0).mean()
    if len(matrix.refits) > 1 and within > 0:
        between = matrix.refits[:, own, own].var(axis=0, ddof=1).mean() / len(matrix.refits)
        degrees = (len(matrix.refits) - 1) * len(own)
        spread = degrees / np.random.default_rng(seed).chisquare(degrees, size=len(deviation))
        deviation = deviation * np.sqrt(np.maximum(1.0, between / within * spread))[:, None, None]
    symmetric = (lost + lost.T) / 2 + deviation
    null = statistic(symmetric, _edges_of(matrix, symmetric * matrix.score, alpha=alpha))
    observed = float(statistic(lost, survives))
    return observed, float(null.mean()), permutation_p(observed, null)
