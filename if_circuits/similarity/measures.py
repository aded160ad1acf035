"""Two measures of how alike two representations of the same rows are, each between 0 and 1 (CKA slightly
below 0).

- PWCCA (Morcos et al. 2018): canonical correlations weighted by how much of the first representation each
  canonical direction accounts for;
- linear CKA (Kornblith et al. 2019) with the unbiased estimate of HSIC (Song et al. 2012, eq. 5).

Raw values are biased: use `compare_all`. Each measure takes many orders of the second representation's rows
at once, because a permutation null needs little more than one product of small matrices per order.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from if_circuits.similarity.reduction import Reduced

Measure = Literal["pwcca", "cka"]
ReducedMeasure = Callable[[Reduced, Reduced, Int[np.ndarray, "orders n"]], Float[np.ndarray, " orders"]]
"""Measures x against y with the rows of y in each of the given orders."""

_MAX_NUMBERS = 2_000_000
"""Numbers of reordered rows held at a time (16 MB)."""


def pwcca(x: Reduced, y: Reduced, orders: Int[np.ndarray, "orders n"]) -> Float[np.ndarray, " orders"]:
    """Projection-weighted canonical correlation under each order of y's rows.

    Weights come from x: canonical variate h has weight sum_j |<h, x_j>| over the coordinates x_j of x, so the
    measure is not symmetric and depends on the coordinates of x, though not on those of y (where nothing of
    its rank is cut). NaN for constant activations. Source: Morcos et al. 2018, section 3.2.
    """
    if _is_empty(x, y):
        return np.full(len(orders), np.nan)
    values: list[Float[np.ndarray, " block"]] = []
    coordinates = x.scale[:, None] * x.axes
    for products in _products(x.basis, y.basis, orders):
        directions, correlations, _ = np.linalg.svd(products, full_matrices=False)
        weights = np.abs(directions.transpose(0, 2, 1) @ coordinates).sum(axis=2)
        values.append((_bounded(correlations) * weights).sum(axis=1) / weights.sum(axis=1))
    return np.concatenate(values)


def linear_cka(x: Reduced, y: Reduced, orders: Int[np.ndarray, "orders n"]) -> Float[np.ndarray, " orders"]:
    """Linear centred kernel alignment under each order of y's rows.

    Symmetric; invariant to orthogonal maps and isotropic scaling of either, not to other linear maps. From
    unbiased HSIC (Song et al. 2012, eq. 5), so its mean is 0 for independent rows and single values may be
    negative. NaN for fewer than four rows and for constant activations.
    """
    n = len(x.basis)
    if _is_empty(x, y) or n < 4:
        return np.full(len(orders), np.nan)
    X, Y = x.scores, y.scores
    as_they_are = np.arange(n)[None]
    own = float(_unbiased_hsic(X, X, as_they_are)[0] * _unbiased_hsic(Y, Y, as_they_are)[0])
    return _unbiased_hsic(X, Y, orders) / np.sqrt(own) if own > 0 else np.full(len(orders), np.nan)


MEASURES: Mapping[Measure, ReducedMeasure] = MappingProxyType({"pwcca": pwcca, "cka": linear_cka})


def _products(
    X: Float[np.ndarray, "n k"], Y: Float[np.ndarray, "n m"], orders: Int[np.ndarray, "orders n"]
) -> Iterator[Float[np.ndarray, "block k m"]]:
    """X'Y with the rows of Y in each order, some orders at a time."""
    block = max(1, _MAX_NUMBERS // Y.size)
    for start in range(0, len(orders), block):
        yield X.T @ Y[orders[start : start + block]]


def _unbiased_hsic(
    X: Float[np.ndarray, "n k"], Y: Float[np.ndarray, "n m"], orders: Int[np.ndarray, "orders n"]
) -> Float[np.ndarray, " orders"]:
    """n (n - 3) times the unbiased HSIC of the linear kernels of centred rows, for each order of Y's rows.

    Written with X'Y instead of the n x n kernels: for centred rows, each row of X X' without its diagonal
    sums to minus the row's squared length.
    """
    n = len(X)
    lengths_x, lengths_y = np.einsum("nk,nk->n", X, X), np.einsum("nk,nk->n", Y, Y)
    paired = lengths_y[orders] @ lengths_x
    trace = np.concatenate([np.square(c).sum(axis=(1, 2)) for c in _products(X, Y, orders)]) - paired
    sums = lengths_x.sum() * lengths_y.sum() / ((n - 1) * (n - 2))
    return trace + sums - 2 / (n - 2) * paired


def _is_empty(x: Reduced, y: Reduced) -> bool:
    return min(len(x.scale), len(y.scale)) == 0


def _bounded(correlations: Float[np.ndarray, "*orders k"]) -> Float[np.ndarray, "*orders k"]:
    """Canonical correlations without the rounding error that lifts them above 1."""
    return np.minimum(correlations, 1.0)
