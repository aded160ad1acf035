"""Three measures of how alike two representations of the same rows are, each between 0 and 1 (CKA slightly
below 0).

- SVCCA (Raghu et al. 2017): mean canonical correlation of the leading principal components;
- PWCCA (Morcos et al. 2018): canonical correlations weighted by how much of the first representation each
  canonical direction accounts for;
- linear CKA (Kornblith et al. 2019) with the unbiased estimate of HSIC (Song et al. 2012, eq. 5).

Raw values are biased: use `compare`. Each measure also takes many orders of the second representation's
rows at once, because a permutation null needs little more than one product of small matrices per order.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from if_circuits.similarity.reduction import Reduced, reduce

Measure = Literal["svcca", "pwcca", "cka"]
ReducedMeasure = Callable[[Reduced, Reduced, Int[np.ndarray, "orders n"]], Float[np.ndarray, " orders"]]
"""Measures x against y with the rows of y in each of the given orders."""


def svcca(X: Float[np.ndarray, "n d"], Y: Float[np.ndarray, "n e"], *, k: int) -> float:
    """Mean canonical correlation of k principal components of each (Raghu et al. 2017, section 2.1).

    Rows of X and Y belong together. Invariant to orthogonal maps and scaling of either, and where k is the
    full rank to every invertible linear map. NaN for constant activations.
    """
    return _as_they_are(reduced_svcca, X, Y, k)


def pwcca(X: Float[np.ndarray, "n d"], Y: Float[np.ndarray, "n e"], *, k: int) -> float:
    """Projection-weighted canonical correlation of k principal components (Morcos et al. 2018, section 3.2).

    Weights come from X: canonical variate h has weight sum_j |<h, x_j>| over the coordinates x_j of X, so
    the measure is not symmetric and depends on the coordinates of X, though not on those of Y (where k is
    Y's full rank). NaN for constant activations.
    """
    return _as_they_are(reduced_pwcca, X, Y, k)


def linear_cka(X: Float[np.ndarray, "n d"], Y: Float[np.ndarray, "n e"], *, k: int) -> float:
    """Linear centred kernel alignment of k principal components, from unbiased HSIC (Song et al. 2012, eq.
    5).

    Symmetric; invariant to orthogonal maps and isotropic scaling of either, not to other linear maps. Its
    mean is 0 for independent rows, so single values may be negative. Needs four rows or more, else NaN, as
    for constant activations.
    """
    return _as_they_are(reduced_cka, X, Y, k)


def reduced_svcca(
    x: Reduced, y: Reduced, orders: Int[np.ndarray, "orders n"]
) -> Float[np.ndarray, " orders"]:
    """`svcca` of reduced activations under each order of y's rows."""
    if _is_empty(x, y):
        return np.full(len(orders), np.nan)
    return np.array(
        [_bounded(np.linalg.svd(x.basis.T @ y.basis[order], compute_uv=False)).mean() for order in orders]
    )


def reduced_pwcca(
    x: Reduced, y: Reduced, orders: Int[np.ndarray, "orders n"]
) -> Float[np.ndarray, " orders"]:
    """`pwcca` of reduced activations under each order of y's rows."""
    if _is_empty(x, y):
        return np.full(len(orders), np.nan)
    values = np.empty(len(orders))
    coordinates = x.scale[:, None] * x.axes
    for number, order in enumerate(orders):
        directions, correlations, _ = np.linalg.svd(x.basis.T @ y.basis[order], full_matrices=False)
        weights = np.abs(directions.T @ coordinates).sum(axis=1)
        values[number] = _bounded(correlations) @ weights / weights.sum()
    return values


def reduced_cka(x: Reduced, y: Reduced, orders: Int[np.ndarray, "orders n"]) -> Float[np.ndarray, " orders"]:
    """`linear_cka` of reduced activations under each order of y's rows."""
    n = len(x.basis)
    if _is_empty(x, y) or n < 4:
        return np.full(len(orders), np.nan)
    X, Y = x.scores, y.scores
    own = _unbiased_hsic(X, X) * _unbiased_hsic(Y, Y)
    cross = np.array([_unbiased_hsic(X, Y[order]) for order in orders])
    return cross / np.sqrt(own) if own > 0 else np.full(len(orders), np.nan)


MEASURES: Mapping[Measure, ReducedMeasure] = MappingProxyType(
    {"svcca": reduced_svcca, "pwcca": reduced_pwcca, "cka": reduced_cka}
)


def _unbiased_hsic(X: Float[np.ndarray, "n k"], Y: Float[np.ndarray, "n m"]) -> float:
    """n (n - 3) times the unbiased HSIC of the linear kernels of centred rows.

    Written with X'Y instead of the n x n kernels: for centred rows, each row of X X' without its diagonal
    sums to minus the row's squared length.
    """
    n = len(X)
    lengths_x, lengths_y = np.einsum("nk,nk->n", X, X), np.einsum("nk,nk->n", Y, Y)
    paired = lengths_x @ lengths_y
    trace = np.square(X.T @ Y).sum() - paired
    sums = lengths_x.sum() * lengths_y.sum() / ((n - 1) * (n - 2))
    return float(trace + sums - 2 / (n - 2) * paired)


def _as_they_are(
    measure: ReducedMeasure, X: Float[np.ndarray, "n d"], Y: Float[np.ndarray, "n e"], k: int
) -> float:
    if len(X) != len(Y):
        raise ValueError(f"rows must belong together, got {len(X)} and {len(Y)}")
    return float(measure(reduce(X, k=k), reduce(Y, k=k), np.arange(len(X))[None])[0])


def _is_empty(x: Reduced, y: Reduced) -> bool:
    return min(len(x.scale), len(y.scale)) == 0


def _bounded(correlations: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """Canonical correlations without the rounding error that lifts them above 1."""
    return np.minimum(correlations, 1.0)
