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

from if_circuits.erasure.base import Subspace
from if_circuits.erasure.labelled import checked
from if_circuits.probes.across_folds import fit_across_folds
from if_circuits.probes.folds import grouped_folds
from if_circuits.probes.linear import LinearProbe, fit_linear_probe
from if_circuits.probes.scoring import auroc, resampled_auroc

ISOTROPIC_CS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Inverse penalties to choose from, for activations in units of their features' median deviation."""


@dataclass(frozen=True, eq=False)
class InlpSubspace(Subspace):
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


@dataclass(frozen=True)
class Inlp:
    """How to run INLP."""

    max_rank: int = 24
    """Rounds at most."""
    near_chance: float = 0.52
    """Stop when the held-out AUROC is below this, or its 95 % interval reaches down to 0.5."""
    n_folds: int = 5
    Cs: Sequence[float] = ISOTROPIC_CS
    n_bootstrap: int = 200
    name: str = "INLP"

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
        everything = np.ones((len(y), 1), dtype=bool)
        mean, units = X.mean(axis=0), (X - X.mean(axis=0)) / _unit(X)
        first = fit_across_folds(units, y, fold_of_row=folds, train=everything, Cs=self.Cs, standardise=False)
        C = float(np.median(first.C))
        final, *runs = (_Run(units, y, folds != held_out, C) for held_out in range(-1, self.n_folds))
        curve: list[tuple[float, float, float]] = []
        while True:
            scores = np.full(len(y), np.nan)
            for fold, run in enumerate(runs):
                scores[folds == fold] = run.held_out_scores()
            curve.append(_with_interval(y, scores, draws, folds))
            stopped = self._stops(curve)
            if stopped:
                break
            if not final.remove_direction():
                stopped = "no direction left"
                break
            for run in runs:
                run.remove_direction()
        basis = np.array(final.directions).reshape(-1, X.shape[1])
        held_out, lows, highs = np.array(curve).T
        return InlpSubspace(basis, mean, self.name, held_out, lows, highs, C, stopped)

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


class _Run:
    """INLP trained on some of the rows; the others are projected along."""

    def __init__(
        self, X: Float[np.ndarray, "n d"], y: Bool[np.ndarray, " n"], train: Bool[np.ndarray, " n"], C: float
    ) -> None:
        self.left = X - X[train].mean(axis=0)
        self.smallest = 1e-10 * np.linalg.norm(self.left)
        self.y, self.train, self.C = y, train, C
        self.directions: list[Float[np.ndarray, " d"]] = []
        self.probe = self._fit()

    def _fit(self) -> LinearProbe | None:
        """The probe of what is left, unless nothing is left or the training rows lack a class."""
        y = self.y[self.train]
        if y.all() or not y.any() or np.linalg.norm(self.left) <= self.smallest:
            return None
        return fit_linear_probe(self.left[self.train], y, C=self.C, standardise=False)

    def held_out_scores(self) -> Float[np.ndarray, " m"]:
        """Scores of the rows that train nothing; NaN without a probe."""
        rows = self.left[~self.train]
        return np.full(len(rows), np.nan) if self.probe is None else self.probe.scores(rows)

    def remove_direction(self) -> bool:
        """Project the probe's direction out and fit the next probe; False when there is no direction."""
        if self.probe is None:
            return False
        union = Subspace.orthonormalise(
            np.array([*self.directions, self.probe.direction]), name="removed directions"
        )
        if union.rank == len(self.directions):
            return False
        self.directions.append(union.basis[-1])
        self.left -= (self.left @ self.directions[-1])[:, None] * self.directions[-1]
        self.probe = self._fit()
        return True
