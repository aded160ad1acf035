"""Linear discriminant analysis with a covariance shrunk towards a multiple of the identity."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from if_circuits.errors import InputError
from if_circuits.probes.linear import LinearProbe


def fit_lda(X: Float[np.ndarray, "n d"], y: Bool[np.ndarray, " n"]) -> LinearProbe:
    """Log-odds of two Gaussians with a common covariance, on features standardised over all rows.

    This is scikit-learn's estimator, with one amount of shrinkage for both classes: that of Ledoit and Wolf
    (2004) for the rows about the mean of their class. Its own choice ("auto") is another for each class.
    Constant features are ignored. Raises InputError when a class is missing, no feature varies, or none
    varies within a class.
    """
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y)
    if y.all() or not y.any():
        raise InputError(f"LDA needs both classes, got {int(y.sum())} positive of {len(y)} rows")
    mean, scale = X.mean(axis=0), X.std(axis=0)
    varying = scale > len(X) * np.finfo(np.float64).eps * np.abs(mean)
    if not varying.any():
        raise InputError(f"no feature varies over the {len(X)} rows, so there is nothing to tell classes by")
    scale = np.where(varying, scale, 1.0)
    Z = ((X - mean) / scale)[:, varying]
    residual = Z - np.where(y[:, None], Z[y].mean(axis=0), Z[~y].mean(axis=0))
    if np.abs(residual).max() <= len(X) * np.finfo(np.float64).eps:
        raise InputError(
            f"no feature varies within a class over the {len(X)} rows, so there is no covariance to weigh "
            "them by; the probe mean_difference needs none"
        )
    shrinkage = float(ledoit_wolf_shrinkage(residual, assume_centered=True))
    fitted = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(Z, y)
    weight = np.zeros(X.shape[1])
    weight[varying] = fitted.coef_[0]
    return LinearProbe(
        weight=weight,
        bias=float(fitted.intercept_[0]),
        mean=mean,
        scale=scale,
        C=float("nan"),
        converged=True,
        n=len(y),
        n_over_d=len(y) / X.shape[1],
    )
