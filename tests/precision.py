"""Bounds on what rounding alone can do, so that a comparison of floats says where its tolerance comes from.

Kernels differ between processors in the order of a sum and in fused products. Whatever the order, a computed
sum of n products is within n u of the exact one, in units of the sum of their absolute values, u being half
of eps (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1). So two computations of it
differ by no more than n eps of that.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike


def rounding(n: int, size: ArrayLike = 1.0, dtype: DTypeLike = np.float64) -> Any:
    """By how much two sums of n products may differ, where the products' absolute values add up to `size`."""
    return n * float(np.finfo(dtype).eps) * np.asarray(size)


def product(A: ArrayLike, B: ArrayLike, dtype: DTypeLike = np.float64) -> Any:
    """By how much two computations of the matrix product A B may differ, entry by entry."""
    A, B = np.abs(np.asarray(A, dtype=np.float64)), np.abs(np.asarray(B, dtype=np.float64))
    return rounding(A.shape[-1], A @ B, dtype)


def assert_within(actual: ArrayLike, expected: ArrayLike, bound: ArrayLike) -> None:
    """Every entry is within its own bound of what is expected."""
    distance = np.abs(np.asarray(actual, dtype=np.float64) - np.asarray(expected, dtype=np.float64))
    assert (distance <= bound).all(), (
        f"off by {distance.max():.3g}, and {np.max(distance - bound):.3g} too far"
    )
