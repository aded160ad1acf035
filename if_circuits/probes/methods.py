"""The probes of this library by name: logistic, mean difference and LDA."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Shaped

from if_circuits.probes.across_folds import fit_across_folds
from if_circuits.probes.base import probe_method
from if_circuits.probes.folds import grouped_folds
from if_circuits.probes.lda import fit_lda
from if_circuits.probes.linear import LinearProbe, fit_linear_probe
from if_circuits.probes.mean_difference import fit_mean_difference

INNER_FOLDS = 5
"""Folds in which the logistic probe chooses its penalty."""


@probe_method("logistic")
def logistic(
    X: Float[np.ndarray, "n d"], y: Bool[np.ndarray, " n"], /, *, groups: Shaped[np.ndarray, " n"], seed: int
) -> LinearProbe:
    """L2 logistic regression; the penalty is the median of those that cross-validation chooses."""
    folds = grouped_folds(groups, n_folds=INNER_FOLDS, seed=seed)
    chosen = fit_across_folds(X, y, fold_of_row=folds, train=np.ones((len(y), 1), dtype=bool)).C
    return fit_linear_probe(X, y, C=float(np.median(chosen)))


@probe_method("mean_difference")
def mean_difference(
    X: Float[np.ndarray, "n d"],
    y: Bool[np.ndarray, " n"],
    /,
    *,
    groups: Shaped[np.ndarray, " n"],  # noqa: ARG001  (of the protocol; nothing is held out here)
    seed: int,  # noqa: ARG001
) -> LinearProbe:
    """The line between the class means."""
    return fit_mean_difference(X, y)


@probe_method("lda")
def lda(
    X: Float[np.ndarray, "n d"],
    y: Bool[np.ndarray, " n"],
    /,
    *,
    groups: Shaped[np.ndarray, " n"],  # noqa: ARG001  (of the protocol; nothing is held out here)
    seed: int,  # noqa: ARG001
) -> LinearProbe:
    """Linear discriminant analysis with the shrinkage of Ledoit and Wolf."""
    return fit_lda(X, y)
