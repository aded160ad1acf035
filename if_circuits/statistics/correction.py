"""Corrections for testing a declared family of hypotheses at once."""

import numpy as np
from jaxtyping import Float
from statsmodels.stats.multitest import multipletests


def holm(p_values: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """p-values adjusted for the family-wise error rate, in the shape they came (Holm 1979).

    NaN: see `_adjust`.
    """
    return _adjust(p_values, "holm")


def benjamini_hochberg(p_values: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """p-values adjusted for the false discovery rate, in the shape they came (Benjamini and Hochberg 1995).

    NaN: see `_adjust`.
    """
    return _adjust(p_values, "fdr_bh")


def _adjust(p_values: Float[np.ndarray, "*shape"], method: str) -> Float[np.ndarray, "*shape"]:
    """Adjust with statsmodels.

    A NaN stands for a declared test that could not be run: it stays NaN and still counts in the family's
    size (as p = 1), so that a failure never makes the other tests look stronger.
    """
    flat = np.asarray(p_values, dtype=np.float64).ravel()
    missing = np.isnan(flat)
    if ((flat < 0) | (flat > 1)).any():
        raise ValueError(f"p-values must lie in [0, 1], got {flat[(flat < 0) | (flat > 1)][0]}")
    if missing.all():
        return flat.reshape(p_values.shape)
    adjusted = np.asarray(multipletests(np.where(missing, 1.0, flat), method=method)[1])
    return np.where(missing, np.nan, adjusted).reshape(p_values.shape)
