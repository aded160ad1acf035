"""Linear discriminant analysis with a covariance shrunk towards a multiple of the identity."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import solve

from if_circuits.errors import InputError
from if_circuits.probes.linear import LinearProbe

HARDLY_SHRUNK = 1e-8
"""Share of the trace up to which what shrinkage adds to each eigenvalue is too little to divide by."""


def fit_lda(X: Float[np.ndarray, "n d"], y: Bool[np.ndarray, " n"]) -> LinearProbe:
    """Log-odds of two Gaussians with a common covariance, on features standardised over all rows.

    This is scikit-learn's estimator, with one amount of shrinkage for both classes: that of Ledoit and Wolf
    (2004) for the rows about the mean of their class. Its own choice ("auto") is another for each class. It
    takes the singular values of the covariance, which is dear; here the covariance, or its counterpart
    between rows where those are fewer, is factorised. Constant features are ignored. Raises InputError when
    a class is missing, no feature varies, or none varies within a class.
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
    centres = Z[y].mean(axis=0), Z[~y].mean(axis=0)
    residual = Z - np.where(y[:, None], *centres)
    if np.abs(residual).max() <= len(X) * np.finfo(np.float64).eps:
        raise InputError(
            f"no feature varies within a class over the {len(X)} rows, so there is no covariance to weigh "
            "them by; the probe mean_difference needs none"
        )
    direction = _whitened(residual, centres[0] - centres[1])
    weight = np.zeros(X.shape[1])
    weight[varying] = direction
    prior = np.log(np.count_nonzero(y)) - np.log(np.count_nonzero(~y))
    return LinearProbe(
        weight=weight,
        bias=float(prior - 0.5 * (centres[0] + centres[1]) @ direction),
        mean=mean,
        scale=scale,
        C=float("nan"),
        converged=True,
        n=len(y),
        n_over_d=len(y) / X.shape[1],
    )


def _whitened(
    residual: Float[np.ndarray, "n d"], difference: Float[np.ndarray, " d"]
) -> Float[np.ndarray, " d"]:
    """The inverse of the rows' shrunk covariance, times a difference of means."""
    n, d = residual.shape
    by_row = n < d
    # The products of rows have the eigenvalues of those of features, and so their trace and sum of squares.
    products = (residual @ residual.T if by_row else residual.T @ residual) / n
    shrinkage, variance = _ledoit_wolf(products, residual)
    ridge = shrinkage * variance
    if ridge < HARDLY_SHRUNK * np.trace(products):
        # Perhaps singular: its least-squares solution, as scikit-learn has it.
        covariance = (1.0 - shrinkage) * (residual.T @ residual) / n + ridge * np.eye(d)
        return np.linalg.lstsq(covariance, difference)[0]
    shrunk = (1.0 - shrinkage) * products
    shrunk[np.diag_indices_from(shrunk)] += ridge
    if not by_row:
        return np.asarray(solve(shrunk, difference, assume_a="pos"))
    # Woodbury: (R^T R c + r)^-1 = (1 - c R^T (R R^T c + r)^-1 R) / r
    inside = np.asarray(solve(shrunk, residual @ difference, assume_a="pos"))
    return (difference - (1.0 - shrinkage) / n * (inside @ residual)) / ridge


def _ledoit_wolf(
    products: Float[np.ndarray, "k k"], residual: Float[np.ndarray, "n d"]
) -> tuple[float, float]:
    """How much of the covariance gives way to its mean variance (Ledoit and Wolf 2004, 3.2); the latter."""
    n, d = residual.shape
    variance = float(np.trace(products)) / d
    squares = float(np.vdot(products, products))
    dispersion = squares - d * variance**2
    # Of each row's own product with itself about the covariance, over n twice: that of a mean.
    error = float((np.vecdot(residual, residual) ** 2).sum() / n - squares) / n
    return (min(error / dispersion, 1.0) if dispersion > 0 and error > 0 else 0.0), variance
