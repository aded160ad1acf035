"""Folds that never split a group, and that are the same for every task, layer and probe.

A group's fold depends on the seed, the group's name and the set of groups alone, so any two data sets
over the same base queries are cut alike: probes can be compared row by row, and a probe of one task
can be scored on another task's rows of the held-out fold without having seen their base queries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, Shaped

from if_circuits.errors import InputError


def grouped_folds(
    groups: Shaped[np.ndarray, " n"] | Sequence[str],
    *,
    n_folds: int,
    seed: int,
    labels: Shaped[np.ndarray, " n"] | None = None,
) -> Int[np.ndarray, " n"]:
    """The fold, 0 to n_folds - 1, of every row; rows of one group share it.

    Groups are ordered by a hash of seed and name and dealt out in turn, so folds hold equally many
    groups and the order of rows is immaterial. With `labels`, groups are first sorted by their share of
    the most common label, which balances classes over folds, at the price that the folds then
    depend on the labels. Raises InputError when there are fewer groups than folds.
    """
    given = [str(group) for group in groups]  # an array of strings would lose a NUL at their end
    names = sorted(set(given))
    place = {name: k for k, name in enumerate(names)}
    index = np.array([place[name] for name in given], dtype=np.int64)
    if n_folds < 2 or len(names) < n_folds:
        raise InputError(f"{n_folds} folds need at least 2 folds and as many groups, got {len(names)} groups")
    order = sorted(range(len(names)), key=lambda k: _hash(seed, names[k]))
    if labels is not None:
        kinds, counts = np.unique(np.asarray(labels), return_counts=True)
        hits = np.asarray(labels) == kinds[np.argmax(counts)]
        share = np.bincount(index, weights=hits) / np.bincount(index)
        order.sort(key=lambda k: share[k])
    fold = np.empty(len(names), dtype=np.int64)
    fold[order] = np.arange(len(names)) % n_folds
    return fold[index]


def folds_within_groups(
    groups: Shaped[np.ndarray, " n"] | Sequence[str],
    *,
    n_folds: int,
    seed: int,
    texts: Shaped[np.ndarray, " n"] | None = None,
) -> Int[np.ndarray, " n"]:
    """Folds that deal every group's rows over all folds: the opposite of `grouped_folds`, for control tasks.

    Rows of one of the `texts`, by default each row its own, stay in one fold: of a counterfactual pair one
    row would tell the label of the other. Raises InputError when no group has two rows (or texts), so that
    nothing could be met again.
    """
    texts = np.arange(len(groups)) if texts is None else texts
    first, text = np.unique(np.asarray(texts), return_index=True, return_inverse=True)[1:]
    index = np.unique(np.asarray(groups).astype(str)[first], return_inverse=True)[1]
    if n_folds < 2 or np.bincount(index).max(initial=0) < 2:
        raise InputError(f"{n_folds} folds within groups need 2 folds or more and groups of 2 rows or more")
    rng = np.random.default_rng(seed)
    fold = np.empty(len(index), dtype=np.int64)
    dealt = 0
    for group in range(index.max() + 1):
        rows = rng.permutation(np.flatnonzero(index == group))
        fold[rows] = (dealt + np.arange(len(rows))) % n_folds
        dealt += len(rows)
    return fold[text]


def _hash(seed: int, name: str) -> bytes:
    return hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest()
