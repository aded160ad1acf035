"""Planted data that the tests of probes and erasure share."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from if_circuits.probes.logistic import LogisticFits
from if_circuits.probes.solver.coordinates import ByFeature, Coordinates
from if_circuits.probes.solver.newton import Solution, minimise
from if_circuits.probes.solver.spectrum import Spectrum


def planted(
    n: int, d: int, *, seed: int = 0, signal: float = 1.5
) -> tuple[Float[np.ndarray, "n d"], Bool[np.ndarray, " n"]]:
    """Correlated features on different scales, and labels drawn from a logistic model of one direction."""
    rng = np.random.default_rng(seed)
    mixing = np.linalg.qr(rng.normal(size=(d, d)))[0] * np.arange(1, d + 1) ** -0.5
    X = (rng.normal(size=(n, d)) @ mixing + rng.normal(size=d)) * np.exp(rng.normal(size=d))
    along = (X - X.mean(axis=0)) / X.std(axis=0) @ rng.normal(size=d)
    return X, rng.random(n) < 1 / (1 + np.exp(-signal * along / along.std()))


def reference(X: Float[np.ndarray, "n d"], y: Bool[np.ndarray, " n"], *, C: float) -> Pipeline:
    """scikit-learn's solution to tight tolerance."""
    model = LogisticRegression(C=C, tol=1e-10, max_iter=20_000)
    return make_pipeline(StandardScaler(), model).fit(np.asarray(X, dtype=np.float64), y)


def space_of(
    Z: Float[np.ndarray, "n d"],
    spectrum: Spectrum | None = None,
    removed: Float[np.ndarray, "k d"] | None = None,
) -> ByFeature:
    """One problem by feature, with another spectrum or with directions removed."""
    space = ByFeature.of(Z, np.ones((1, Z.shape[1])))
    return replace(
        space,
        spectrum=space.spectrum if spectrum is None else spectrum,
        removed=space.removed if removed is None else removed[None],
    )


def solve(space: Coordinates, y: Bool[np.ndarray, " n"], penalty: float = 0.1) -> Solution:
    """The one problem of a space, to a tight tolerance."""
    return minimise(
        space,
        np.where(y, 1.0, -1.0)[None],
        np.ones((1, len(y))),
        penalty=np.array([penalty]),
        tolerance=1e-8,
        max_iterations=100,
    )


def solver_error(
    fits: LogisticFits, X: Float[np.ndarray, "n d"], tolerance: float
) -> Float[np.ndarray, " m"]:
    """By how much the scores of two fits of one problem, both to a tolerance, may differ.

    The weights of each are right to that share of their length, and a row's score to that times its own
    length; the intercept follows the weights by as much again.
    """
    rows = np.linalg.norm((X[:, None] - fits.mean) / fits.scale, axis=2).max(axis=0)
    return 4 * tolerance * np.linalg.norm(fits.weight, axis=1) * rows
