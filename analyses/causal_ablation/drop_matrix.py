"""How scores fall when subspaces are removed: the drops of every pair of tasks, with their controls and
uncertainty.

One half of the base queries fits, the other measures, and they change places. A half fills a `HalfScores`
column by column; `average` makes of two of them the matrix that `edges` judges. Scores are
linear, or linearised, in the weights of the rows, so each comes with the influence of every base query on
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from if_circuits.analyses.shared.task_subspaces import CONTROLS


@dataclass(frozen=True, eq=False)
class DropMatrix:
    """Drops of the score in every cell; rows are ablated tasks, columns measured ones, NaN where not
    measured.
    """

    tasks: tuple[str, ...]
    score: Float[np.ndarray, " b"]
    """Score of each task above its floor, nothing removed."""
    after: Float[np.ndarray, "a b"]
    """Score of B (not above its floor, but as it is) when A's subspace is removed."""
    excess: Float[np.ndarray, "a b"]
    """Drop beyond the mean of the control that does more damage."""
    control_sd: Float[np.ndarray, "a b"]
    """Standard deviation of the drop over draws of that control, with the error of their mean."""
    control_drop: Mapping[str, Float[np.ndarray, "a b"]]
    """Mean drop under each kind of control."""
    p_rank: Float[np.ndarray, "a b"]
    """(1 + control draws that do as much damage) / (1 + draws), for the kind where it is larger."""
    n_draws: int
    """Control draws of each kind."""
    score_influence: Float[np.ndarray, "q b"]
    """Change of the score per unit of weight on a base query; sums to zero over base queries."""
    influence: Float[np.ndarray, "q a b"]
    """The same for the excess."""
    refits: Float[np.ndarray, "r a b"]
    """Excess as a share of the score, from each half's fit; to first order about their mean, since one
    half's score near its floor must not blow the share up."""


@dataclass(frozen=True, eq=False)
class HalfScores:
    """What one half measured; filled by `write`."""

    score: Float[np.ndarray, " b"]
    score_influence: Float[np.ndarray, "q b"]
    after: Float[np.ndarray, "a b"]
    controls: Float[np.ndarray, "kinds a b draws"]
    """Score of B under each control draw."""
    influence: Float[np.ndarray, "q a b"]
    """On the drop beyond the mean of the stronger control."""

    @classmethod
    def empty(cls, *, n_tasks: int, n_queries: int, n_draws: int) -> HalfScores:
        """Nothing measured yet: NaN everywhere, without influence."""
        return cls(
            score=np.full(n_tasks, np.nan),
            score_influence=np.zeros((n_queries, n_tasks)),
            after=np.full((n_tasks, n_tasks), np.nan),
            controls=np.full((len(CONTROLS), n_tasks, n_tasks, n_draws), np.nan),
            influence=np.zeros((n_queries, n_tasks, n_tasks)),
        )

    def write(
        self,
        b: int,
        scores: Float[np.ndarray, " conditions"],
        influence: Float[np.ndarray, "rows conditions"],
        *,
        queries: Int[np.ndarray, " rows"],
        ablated: Sequence[int],
    ) -> None:
        """Enter task b's scores and the influences of its rows on them.

        Conditions are the intact one; then for each ablated task its own removal and its control draws,
        kind after kind. `queries` are the rows' base queries.
        """
        n_draws = self.controls.shape[3]
        removals = scores[1:].reshape(len(ablated), 1 + len(CONTROLS) * n_draws)
        controls = removals[:, 1:].reshape(len(ablated), len(CONTROLS), n_draws)
        by_removal = influence[:, 1:].reshape(len(influence), *removals.shape)
        by_control = by_removal[:, :, 1:].reshape(len(influence), *controls.shape).mean(axis=3)
        beyond = by_control[:, np.arange(len(ablated)), _stronger_kind(controls)] - by_removal[:, :, 0]
        membership = np.eye(len(self.influence))[:, queries]
        self.score[b] = scores[0]
        self.score_influence[:, b] = membership @ influence[:, 0]
        self.after[ablated, b] = removals[:, 0]
        self.controls[:, ablated, b] = controls.transpose(1, 0, 2)
        self.influence[:, ablated, b] = membership @ beyond


def average(tasks: tuple[str, ...], halves: Sequence[HalfScores], *, floor: float) -> DropMatrix:
    """The mean over halves that measured different base queries; `floor` is the score of a task that has
    lost all.
    """
    after = np.stack([half.after for half in halves])
    scores = np.stack([half.score for half in halves])
    score = scores.mean(axis=0)
    means, variances = zip(*(_stronger_control(half.controls) for half in halves), strict=True)
    excess = np.stack(means) - after
    controls = np.stack([half.controls for half in halves]).mean(axis=0)
    as_strong = 1 + (controls <= after.mean(axis=0)[..., None]).sum(axis=3).max(axis=0)
    above_floor = np.where(score > floor, score - floor, np.nan)
    lost = excess.mean(axis=0) / above_floor
    return DropMatrix(
        tasks=tasks,
        score=score - floor,
        after=after.mean(axis=0),
        excess=excess.mean(axis=0),
        control_sd=np.sqrt(np.sum(variances, axis=0)) / len(halves),
        control_drop=dict(zip(CONTROLS, score - controls.mean(axis=3), strict=True)),
        p_rank=np.where(np.isnan(excess.mean(axis=0)), np.nan, as_strong / (1 + controls.shape[3])),
        n_draws=controls.shape[3],
        score_influence=np.stack([half.score_influence for half in halves]).mean(axis=0),
        influence=np.stack([half.influence for half in halves]).mean(axis=0),
        refits=(excess - lost * (scores - score)[:, None, :]) / above_floor,
    )


def _stronger_kind(controls: Float[np.ndarray, "*cells kinds draws"]) -> Int[np.ndarray, "*cells"]:
    """The kind of control that leaves the lower score, in the mean over its draws."""
    return np.argmin(controls.mean(axis=-1), axis=-1)


def _stronger_control(
    controls: Float[np.ndarray, "kinds a b draws"],
) -> tuple[Float[np.ndarray, "a b"], Float[np.ndarray, "a b"]]:
    """Mean score under the stronger kind, and the variance of one more draw about that mean."""
    cells = np.moveaxis(controls, 0, 2)
    draws = np.take_along_axis(cells, _stronger_kind(cells)[:, :, None, None], axis=2)[:, :, 0]
    return draws.mean(axis=2), draws.var(axis=2, ddof=1) * (1 + 1 / draws.shape[2])
