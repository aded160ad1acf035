"""What a probe must beat: features of the text alone, and the probe of its tokens on the same folds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from if_circuits.probes.evaluate import OutOfFold, out_of_fold
from if_circuits.threads import one_thread

TEXT_CS = (0.01, 0.1, 1.0)
"""Inverse penalties to choose from, for log-counts of tokens, which are not scaled."""


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
