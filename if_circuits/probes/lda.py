"""Linear discriminant analysis with a covariance shrunk towards a multiple of the identity."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import cho_factor, cho_solve
from sklearn.covariance import ledoit_wolf_shrinkage

from if_circuits.errors import InputError
from if_circuits.probes.linear import LinearProbe


def fit_lda(
    X: Float[np.ndarray, "n d"], y: Bool[np.ndarray, " n"], *, shrinkage: float | None = None
) -> LinearProbe:
    """Log-odds of two Gaussians with a common covariance, on features standardised over all rows.

    The pooled within-class covariance S becomes (1 - shrinkage) S + shrinkage tr(S)/d I; without a
    value, Ledoit and Wolf's (2004) estimate for the centred rows. Constant features are ignored. Raises
    InputError when a class is missing, no feature varies, or a shrinkage of 0 leaves the covariance singular.
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
    above, below = Z[y].mean(axis=0), Z[~y].mean(axis=0)
    residual = Z - np.where(y[:, None], above, below)
    if shrinkage is None:
        shrinkage = float(ledoit_wolf_shrinkage(residual, assume_centered=True))
    covariance = (1.0 - shrinkage) * (residual.T @ residual) / len(Z)
    covariance[np.diag_indices_from(covariance)] += shrinkage * np.mean(residual**2)
    try:
        solution = cho_solve(cho_factor(covariance), above - below)
    except np.linalg.LinAlgError as error:
        raise InputError(
            f"the covariance of {len(X)} rows of {X.shape[1]} features is singular with shrinkage "
            f"{shrinkage}; leave shrinkage out to have it estimated"
        ) from error
    weight = np.zeros(X.shape[1])
    weight[varying] = solution
    share = y.mean()
    return LinearProbe(
        weight=weight,
        bias=float(np.log(share) - np.log1p(-share) - solution @ (above + below) / 2),
        mean=mean,
        scale=scale,
        C=float("nan"),
        converged=True,
        n=len(y),
        n_over_d=len(y) / X.shape[1],
    )
