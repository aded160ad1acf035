"""Is a task readable at all? A permutation test over base queries, with a correction for looking at many
layers.

A bootstrap interval takes the fitted probe as given, which is too narrow where base queries move both
labels and activations: by chance a probe learns something of the queries that it trained on. The
permutation null includes that. Whole base queries exchange their labels, so that labels stay as alike
within a base query as they are, and the probe is fitted again for each permutation. Rows of counterfactual
pairs have nothing to exchange, since all base queries hold both labels equally often; there the two labels of
a pair change places, in all pairs of a base query or in none. The probe is a ridge
regression on the labels: given the activations its out-of-fold scores are linear in the labels, so a
thousand refits are one matrix product.

Layers are tested together: each is compared with the largest AUROC over all layers in each permutation, which
keeps the family-wise error rate (Westfall and Young 1993).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import solve

from if_circuits.statistics.auroc import column_aurocs
from if_circuits.statistics.permutation import permutation_p

SHRINKAGE = 0.1
"""Ridge penalty per training row, on standardised features."""


def layer_p_values(
    features: Sequence[Float[np.ndarray, "n d"]],
    labels: Bool[np.ndarray, " n"],
    queries: Int[np.ndarray, " n"],
    folds: Int[np.ndarray, " n"],
    *,
    paired: bool = False,
    n_permutations: int,
    seed: int,
) -> Float[np.ndarray, " layers"]:
    """p-value of each layer, adjusted for all of them, that the labels can be read from its features.

    `paired` rows are counterfactual pairs.
    """
    aurocs = [
        permuted_aurocs(X, labels, queries, folds, paired=paired, n_permutations=n_permutations, seed=seed)
        for X in features
    ]
    return adjusted_p_values(np.stack(aurocs))


def permuted_aurocs(
    X: Float[np.ndarray, "n d"],
    labels: Bool[np.ndarray, " n"],
    queries: Int[np.ndarray, " n"],
    folds: Int[np.ndarray, " n"],
    *,
    paired: bool = False,
    n_permutations: int,
    seed: int,
) -> Float[np.ndarray, " labels"]:
    """Out-of-fold AUROC of the labels, and then of each permutation of them, at one layer."""
    permute = flip_labels if paired else exchange_labels
    shuffled = permute(labels, queries, n_permutations=n_permutations, seed=seed)
    targets = np.column_stack([labels, shuffled.T])
    # Ranks of scores hardly depend on the last digits, and float32 takes two thirds of the time.
    centred = (targets - targets.mean(axis=0)).astype(np.float32)
    return column_aurocs(targets, ridge_smoother(X.astype(np.float32), folds) @ centred, strata=folds)


def adjusted_p_values(aurocs: Float[np.ndarray, "layers labels"]) -> Float[np.ndarray, " layers"]:
    """p-value of each layer from `permuted_aurocs` at all of them."""
    highest = aurocs[:, 1:].max(axis=0)
    return np.array([permutation_p(observed, highest) for observed in aurocs[:, 0].tolist()])


def exchange_labels(
    labels: Bool[np.ndarray, " n"], queries: Int[np.ndarray, " n"], *, n_permutations: int, seed: int
) -> Bool[np.ndarray, "permutations n"]:
    """Every base query takes the labels of another, in their order.

    A query with more rows than its donor goes through the donor's labels again from the start.
    """
    codes, sizes = np.unique(queries, return_inverse=True, return_counts=True)[1:]
    by_query = np.argsort(codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    turn = np.empty(len(codes), dtype=np.int64)
    turn[by_query] = np.arange(len(codes)) - starts[codes[by_query]]
    rng = np.random.default_rng(seed)
    donors = np.argsort(rng.random((n_permutations, len(sizes))), axis=1)[:, codes]
    return labels[by_query][starts[donors] + turn % sizes[donors]]


def flip_labels(
    labels: Bool[np.ndarray, " n"], queries: Int[np.ndarray, " n"], *, n_permutations: int, seed: int
) -> Bool[np.ndarray, "permutations n"]:
    """In a random half of the base queries every label becomes the other one."""
    codes = np.unique(queries, return_inverse=True)[1]
    flipped = np.random.default_rng(seed).random((n_permutations, codes.max(initial=0) + 1)) < 0.5
    return labels ^ flipped[:, codes]


def ridge_smoother(X: Float[np.ndarray, "n d"], folds: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n n"]:
    """The matrix that maps centred labels to out-of-fold scores of a ridge regression, scaled inside the
    folds.

    Its blocks within a fold are zero: no row sees a label of its own fold.
    """
    smoother = np.zeros((len(X), len(X)), dtype=X.dtype)
    for fold in np.unique(folds):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        fitted, tested = X[train], X[test]
        mean = fitted.mean(axis=0)
        fitted -= mean
        tested -= mean
        scale = np.sqrt(np.einsum("nd,nd->d", fitted, fitted) / len(train))
        scale[scale == 0] = 1.0
        fitted /= scale
        tested /= scale
        penalty = SHRINKAGE * len(train)
        if fitted.shape[1] <= len(train):
            gram = fitted.T @ fitted + penalty * np.eye(fitted.shape[1], dtype=X.dtype)
            smoother[np.ix_(test, train)] = solve(gram, tested.T, assume_a="pos").T @ fitted.T
        else:
            gram = fitted @ fitted.T + penalty * np.eye(len(train), dtype=X.dtype)
            smoother[np.ix_(test, train)] = solve(gram, fitted @ tested.T, assume_a="pos").T
    return smoother
