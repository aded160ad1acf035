"""Iterative nullspace projection (Ravfogel et al. 2020): remove what a linear probe uses, until none works.

Each round fits a probe to the activations that are left and projects its direction out. How many
rounds to run is decided on held-out data: beside the projection on all rows, one is run on every fold's
training rows alone, and its probes are scored on the fold, whose labels it has never seen. INLP
stops when these held-out scores are near chance.

Features are not standardised one by one: the projections are orthogonal in activation space, so the
penalty is isotropic there too. A probe's direction then lies in the space of what is left, and rotating
the activations rotates the result. One common scale gives the penalties their unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from if_circuits.erasure.base import erasure_method
from if_circuits.erasure.fits import fits
from if_circuits.erasure.labelled import checked
from if_circuits.interventions.fitted import FittedSubspace
from if_circuits.interventions.subspace import Subspace
from if_circuits.probes.across_folds import choose_penalties
from if_circuits.probes.folds import grouped_folds
from if_circuits.probes.solver.coordinates import ByFeature, ByRow
from if_circuits.probes.solver.newton import minimise
from if_circuits.probes.solver.spectrum import SMALL
from if_circuits.probes.solver.standardise import Design
from if_circuits.statistics.auroc import auroc, resampled_auroc
from if_circuits.threads import one_thread

ISOTROPIC_CS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Inverse penalties to choose from, for activations in units of their features' median deviation."""
NOTHING_LEFT = "no direction left"


@dataclass(frozen=True, eq=False, repr=False)
class InlpSubspace(FittedSubspace):
    """The union of the removed directions, first removed first, and how the search went."""

    held_out: Float[np.ndarray, " rounds_plus_1"]
    """AUROC within folds after 0, 1, ... rounds, of probes and projections that never saw the fold."""
    low: Float[np.ndarray, " rounds_plus_1"]
    high: Float[np.ndarray, " rounds_plus_1"]
    """95 % intervals of `held_out`, from resampling groups."""
    C: float
    """Inverse penalty of the probes, chosen by cross-validation in the first round."""
    stopped: str
    """Why the search ended: "chance", "rank limit" or "no direction left"."""

    @property
    def iterations(self) -> int:
        """Rounds that were run, each removing one direction."""
        return len(self.held_out) - 1


@erasure_method("inlp")
@dataclass(frozen=True)
class Inlp:
    """Iterative nullspace projection: what linear probes of a label use, removed until none works.

    Example:
        >>> import numpy as np
        >>> import if_circuits as ifc
        >>> rng = np.random.default_rng(0)
        >>> y = np.arange(200) % 2 == 0
        >>> X = rng.standard_normal((200, 8)) + 2 * np.outer(y, np.arange(8) == 3)
        >>> found = ifc.Inlp(max_rank=4).fit(X, y, groups=np.arange(200) // 4)
        >>> found.rank, found.stopped, bool(found.held_out[0] > 0.8)
        (2, 'chance', True)
    """

    max_rank: int = 24
    """Rounds at most."""
    near_chance: float = 0.52
    """Stop when the held-out AUROC is below this, or its 95 % interval reaches down to 0.5."""
    n_folds: int = 5
    Cs: Sequence[float] = ISOTROPIC_CS
    n_bootstrap: int = 200
    name: str = "INLP"

    @fits
    @one_thread
    def fit(
        self,
        X: Float[np.ndarray, "n d"],
        y: Bool[np.ndarray, " n"],
        *,
        groups: Shaped[np.ndarray, " n"],
        seed: int,
    ) -> InlpSubspace:
        """The subspace that linear probes of y use, of rank 1 or more, centred on the mean of X.

        The first direction is removed whether or not y can be decoded; `held_out[0]` tells if it could.
        Raises InputError when there are fewer groups than folds, or a class is missing.
        """
        X, y = checked(X, y, method=self.name)
        folds = grouped_folds(groups, n_folds=self.n_folds, seed=seed)
        draws = _group_draws(groups, n=self.n_bootstrap, seed=seed)
        unit = _unit(X)
        C = float(np.median(choose_penalties(X / unit, y, fold_of_row=folds, Cs=self.Cs, standardise=False)))
        search = _Search(X / unit, y, folds, C)
        curve: list[tuple[float, float, float]] = []
        while True:
            curve.append(_with_interval(y, search.held_out_scores(), draws, folds))
            stopped = self._stops(curve)
            if stopped or not search.remove_directions():
                break
        held_out, lows, highs = np.array(curve).T
        return InlpSubspace(
            search.basis(), X.mean(axis=0), self.name, held_out, lows, highs, C, stopped or NOTHING_LEFT
        )

    def _stops(self, curve: Sequence[tuple[float, float, float]]) -> str:
        rounds, (score, low, _) = len(curve) - 1, curve[-1]
        if rounds > 0 and (score < self.near_chance or low <= 0.5):
            return "chance"
        return "rank limit" if rounds == self.max_rank else ""


def _unit(X: Float[np.ndarray, "n d"]) -> float:
    """The median of the features' standard deviations, which a few features of huge scale do not move."""
    deviations = X.std(axis=0)
    return float(np.median(deviations[deviations > 0])) if deviations.any() else 1.0


def _with_interval(
    y: Bool[np.ndarray, " n"],
    scores: Float[np.ndarray, " n"],
    draws: Int[np.ndarray, "draws n"],
    folds: Int[np.ndarray, " n"],
) -> tuple[float, float, float]:
    """AUROC within folds with its 95 % percentile interval; NaN when nothing could be scored."""
    estimate = auroc(y, scores, strata=folds)
    resampled = resampled_auroc(y, scores, weights=draws, strata=folds)
    resampled = resampled[np.isfinite(resampled)]
    if np.isnan(estimate) or not len(resampled):
        return estimate, float("nan"), float("nan")
    low, high = np.quantile(resampled, (0.025, 0.975))
    return estimate, float(low), float(high)


def _group_draws(groups: Shaped[np.ndarray, " n"], *, n: int, seed: int) -> Int[np.ndarray, "draws n"]:
    """How often each row is drawn when whole groups are resampled."""
    index = np.unique(groups, return_inverse=True)[1]
    n_groups = int(index.max()) + 1
    return np.random.default_rng(seed).multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n)[
        :, index
    ]


class _Search:
    """INLP on all rows (run 0) and on the training rows of every fold, as problems over one design matrix."""

    def __init__(
        self, X: Float[np.ndarray, "n d"], y: Bool[np.ndarray, " n"], folds: Int[np.ndarray, " n"], C: float
    ) -> None:
        held_out = np.array([-1, *range(folds.max() + 1)])
        train = folds != held_out[:, None]
        possible = (train & y).any(axis=1) & (train & ~y).any(axis=1)
        self.folds, self.held_out, self.train = folds, held_out[possible], train[possible].astype(np.float64)
        self.sign = np.tile(np.where(y, 1.0, -1.0), (len(self.train), 1))
        Z = Design.of(X, standardise=False).Z
        n, d = Z.shape
        by_row = d > SMALL and n < d
        runs = len(self.train)
        self.space = ByRow.of(Z, problems=runs) if by_row else ByFeature.of(Z, np.ones((runs, d)))
        self.penalty = np.full(runs, 1.0 / C)
        self._fit()

    def _fit(self) -> None:
        self.found = minimise(
            self.space, self.sign, self.train, penalty=self.penalty, tolerance=1e-4, max_iterations=100
        )

    def held_out_scores(self) -> Float[np.ndarray, " n"]:
        """The score of every row under the run that held its fold out; NaN where that lacked a class."""
        scores = np.full(len(self.folds), np.nan)
        predicted = self.space.image(self.found.x) + self.found.b[:, None]
        for run, fold in enumerate(self.held_out):
            rows = self.folds == fold
            scores[rows] = predicted[run, rows]
        return scores

    def basis(self) -> Float[np.ndarray, "rounds d"]:
        """What was removed from all rows, first removed first."""
        directions = self.space.weights(self.space.removed[0])
        return Subspace.orthonormalise(directions, name="removed").basis

    def remove_directions(self) -> bool:
        """Project every run's probe out and fit the next ones; False when there is no direction left."""
        if (self.space.norm(self.found.x)[0] == 0).any():
            return False
        self.space = self.space.remove(self.found.x)
        self._fit()
        return True
