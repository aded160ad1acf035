"""What a probe must beat: predictors of the same labels, on the same folds, that see no activations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from if_circuits.errors import InputError
from if_circuits.probes.evaluate import OutOfFold, out_of_fold, out_of_fold_by
from if_circuits.probes.linear import LinearProbe
from if_circuits.threads import one_thread

TEXT_CS = (1e-2, 1e-1, 1.0, 10.0)
"""Inverse penalties for unscaled log-counts."""


def majority(
    y: Bool[np.ndarray, " n"],
    groups: Shaped[np.ndarray, " n"] | Sequence[str],
    *,
    n_folds: int,
    seed: int,
    keep: Bool[np.ndarray, " n"] | None = None,
) -> OutOfFold:
    """Every row of a fold scores the training rows' log-odds: AUROC and balanced accuracy are 0.5."""
    nothing = np.zeros((len(y), 1))
    return out_of_fold_by(_log_odds, nothing, y, groups, n_folds=n_folds, seed=seed, keep=keep)


def _log_odds(
    X: Float[np.ndarray, "n d"],
    y: Bool[np.ndarray, " n"],
    /,
    *,
    groups: Shaped[np.ndarray, " n"],  # noqa: ARG001  (of the protocol)
    seed: int,  # noqa: ARG001
) -> LinearProbe:
    if y.all() or not y.any():
        raise InputError(f"log-odds need both classes, got {int(y.sum())} positive of {len(y)} rows")
    d, share = X.shape[1], float(y.mean())
    return LinearProbe(
        weight=np.zeros(d), bias=float(np.log(share) - np.log1p(-share)), mean=np.zeros(d), scale=np.ones(d),
        C=float("nan"), converged=True, n=len(y), n_over_d=len(y) / d,
    )  # fmt: skip


def length(
    n_tokens: Int[np.ndarray, " n"],
    y: Bool[np.ndarray, " n"],
    groups: Shaped[np.ndarray, " n"] | Sequence[str],
    *,
    n_folds: int,
    seed: int,
    keep: Bool[np.ndarray, " n"] | None = None,
) -> OutOfFold:
    """The probe of `length_features`."""
    return out_of_fold(length_features(n_tokens), y, groups, n_folds=n_folds, seed=seed, keep=keep)


def length_features(n_tokens: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
    """A length, its square and logarithm, so that both too short and too long can be learned."""
    tokens = np.asarray(n_tokens, dtype=np.float64)
    return np.stack([tokens, tokens**2, np.log1p(tokens)], axis=1)


@one_thread
def bag_of_tokens(
    texts: Sequence[Sequence[Sequence[int]]],
    y: Bool[np.ndarray, " n"],
    groups: Shaped[np.ndarray, " n"] | Sequence[str],
    *,
    n_folds: int,
    seed: int,
    keep: Bool[np.ndarray, " n"] | None = None,
) -> OutOfFold:
    """L2 logistic regression on the token counts of one or several texts of each row.

    `texts` holds one sequence of token lists per kind of text, for instance [prompts] or [prompts,
    response prefixes up to a position]; each kind has its own vocabulary. Features are computed row by
    row, so nothing is learned from held-out rows.
    """
    X = token_counts(texts)
    return out_of_fold(X, y, groups, n_folds=n_folds, seed=seed, keep=keep, Cs=TEXT_CS, standardise=False)


def token_counts(texts: Sequence[Sequence[Sequence[int]]]) -> Float[np.ndarray, "n v"]:
    """log(1 + count) of every token that occurs in two rows or more, for each kind of text in turn.

    A token of a single row cannot help on another row. A text without such tokens gives one zero column.
    """
    blocks: list[Float[np.ndarray, "n v"]] = []
    for rows in texts:
        lengths = np.array([len(row) for row in rows])
        tokens = np.concatenate([np.asarray(row, dtype=np.int64) for row in rows])
        vocabulary, column = np.unique(tokens, return_inverse=True)
        counts = np.zeros((len(rows), len(vocabulary)))
        np.add.at(counts, (np.repeat(np.arange(len(rows)), lengths), column), 1.0)
        blocks.append(np.log1p(counts[:, (counts > 0).sum(axis=0) >= 2]))
    X = np.concatenate(blocks, axis=1)
    return X if X.shape[1] else np.zeros((len(X), 1))
