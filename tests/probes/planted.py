"""Planted data that the tests of probes and erasure share."""

import numpy as np
from jaxtyping import Bool, Float
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler


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
