"""A cell of the probe grid: one task, layer and position at n = 1000 and d = 2304, 5 folds times 5 penalties.

The grid is this cell over and over. Both sides have one thread; joblib, which would add its overhead to
scikit-learn's side, is left out. scikit-learn's own tolerance of 1e-4 left decision values up to 5 % off
under the lightest penalty, so it is timed at that one and at 1e-6.
"""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from if_circuits.probes.across_folds import CS
from if_circuits.probes.logistic import fit_logistic
from tests.benchmarks.table import Row, interleaved

N, D, FOLDS = 1000, 2304, 5


def rows() -> list[Row]:
    """scikit-learn's CPU time over ours, in float32 as activations are stored."""
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((D, D)) * np.arange(1, D + 1)[:, None] ** -0.5
    X = (rng.standard_normal((N, D)) @ mixing).astype(np.float32)
    along = X @ rng.standard_normal(D)
    y = rng.random(N) < 1 / (1 + np.exp(-1.5 * along / along.std()))
    train = np.arange(N)[:, None] % FOLDS != np.arange(FOLDS)

    def ours() -> None:
        m = FOLDS * len(CS)
        labels = np.repeat(y[:, None], m, axis=1)
        fits = fit_logistic(X, labels, weights=np.repeat(train, len(CS), axis=1), C=np.tile(CS, FOLDS))
        fits.scores(X)

    def loop(tolerance: float) -> None:
        for used in train.T:
            for C in CS:
                model = LogisticRegression(C=C, tol=tolerance, max_iter=10_000)
                make_pipeline(StandardScaler(), model).fit(X[used], y[used]).decision_function(X)

    found = list[Row]()
    for tolerance in (1e-4, 1e-6):
        mine, theirs = interleaved(ours, lambda tolerance=tolerance: loop(tolerance), repeats=3)
        against = f"scikit-learn lbfgs, tol = {tolerance:g}"
        found.append(Row.of("probe grid, per cell", against, theirs / mine, reach=">= 50"))
    return found
