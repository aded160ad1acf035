"""Corrections for testing a declared family of hypotheses at once.

They are SciPy's and statsmodels'. What is added is the rule for a declared test that could not be run: its
NaN stays NaN and still counts in the family's size (as p = 1), so that a failure never makes other tests
look stronger.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests


def holm(p_values: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """p-values adjusted for the family-wise error rate, in the shape they came (Holm 1979).

    Raises ValueError for values outside of [0, 1].
    """
    return _adjust(p_values, lambda p: np.asarray(multipletests(p, method="holm")[1]))


def benjamini_hochberg(p_values: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """p-values adjusted for the false discovery rate, in the shape they came (Benjamini and Hochberg 1995).

    Raises ValueError for values outside of [0, 1].
    """
    return _adjust(p_values, lambda p: np.asarray(false_discovery_control(p)))


def _adjust(
    p_values: Float[np.ndarray, "*shape"],
    correct: Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, " n"]],
) -> Float[np.ndarray, "*shape"]:
    flat = np.asarray(p_values, dtype=np.float64).ravel()
    missing = np.isnan(flat)
    if ((flat < 0) | (flat > 1)).any():
        raise ValueError(f"p-values must lie in [0, 1], got {flat[(flat < 0) | (flat > 1)][0]}")
    if missing.all():
        return flat.reshape(p_values.shape)
    return np.where(missing, np.nan, correct(np.where(missing, 1.0, flat))).reshape(p_values.shape)
