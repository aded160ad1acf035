"""Rows of several tasks paired by group, each task in two halves that share no row.

Within a group (base query) a task's rows are split at random into two halves, and each half is averaged.
What the two halves of a task have in common is what can be known of it at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from if_circuits.threads import one_thread

_MIN_GROUPS = 4
"""The fewest rows for which the unbiased HSIC is defined."""


@dataclass(frozen=True, eq=False)
class PairedHalves:
    """Mean activations of each group in the two halves of each task. Made by `pair_halves`."""

    groups: Shaped[np.ndarray, " groups"]
    """Names of the groups, in the order of the rows below."""
    activations: Mapping[str, tuple[Float[np.ndarray, "groups d"], Float[np.ndarray, "groups d"]]]
    """Two halves per task; row i of each belongs to group i."""

    def shuffles(self, n: int, *, seed: int) -> Int[np.ndarray, "n groups"]:
        """Random orders of the groups."""
        return np.argsort(np.random.default_rng(seed).random((n, len(self.groups))), axis=1)


@one_thread
def pair_halves(
    activations: Mapping[str, Float[np.ndarray, "rows d"]],
    groups: Mapping[str, Shaped[np.ndarray, " rows"]],
    *,
    seed: int,
) -> PairedHalves:
    """Pair tasks by group: for each task its activations, and the group of each row.

    Uses the groups that have at least two rows in every task. Raises ValueError for fewer than four such
    groups and for rows that are not finite.

    Example:
        >>> import numpy as np
        >>> import if_circuits as ifc
        >>> X, queries = np.random.default_rng(0).standard_normal((80, 8)), np.arange(80) // 4
        >>> groups = {"topic": queries, "register": queries}
        >>> len(ifc.pair_halves({"topic": X, "register": -X}, groups, seed=0).groups)
        20
    """
    common = _common_groups(groups)
    if len(common) < _MIN_GROUPS:
        raise ValueError(
            f"{len(common)} groups have two rows or more in each of {', '.join(groups)}; "
            f"at least {_MIN_GROUPS} are needed"
        )
    rng = np.random.default_rng(seed)
    halves = {name: _split(X, groups[name], common, rng) for name, X in activations.items()}
    return PairedHalves(common, halves)


def _common_groups(groups: Mapping[str, Shaped[np.ndarray, " rows"]]) -> Shaped[np.ndarray, " groups"]:
    common: Shaped[np.ndarray, " groups"] | None = None
    for names in groups.values():
        values, counts = np.unique(names, return_counts=True)
        enough = values[counts >= 2]
        common = enough if common is None else np.intersect1d(common, enough)
    if common is None:
        raise ValueError("there are no tasks to pair")
    return common


def _split(
    X: Float[np.ndarray, "rows d"],
    groups: Shaped[np.ndarray, " rows"],
    common: Shaped[np.ndarray, " groups"],
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "groups d"], Float[np.ndarray, "groups d"]]:
    rows = np.flatnonzero(np.isin(groups, common))
    if not np.isfinite(X[rows]).all():
        absent = int((~np.isfinite(X[rows])).any(axis=1).sum())
        raise ValueError(
            f"{absent} of {len(rows)} rows are not finite (a position may be absent): drop those"
        )
    codes = np.searchsorted(common, groups[rows])
    by_group = np.lexsort((rng.random(len(rows)), codes))
    rows, codes = rows[by_group], codes[by_group]
    sizes = np.bincount(codes)
    place_in_group = np.arange(len(codes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    is_first = place_in_group < sizes[codes] // 2
    return _means(X, rows[is_first], codes[is_first]), _means(X, rows[~is_first], codes[~is_first])


def _means(
    X: Float[np.ndarray, "rows d"], rows: Int[np.ndarray, " kept"], codes: Int[np.ndarray, " kept"]
) -> Float[np.ndarray, "groups d"]:
    """Mean of the given rows in each group; the codes are sorted, and every group has a row."""
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    sums = np.add.reduceat(np.asarray(X[rows], dtype=np.float64), starts, axis=0)
    return sums / np.bincount(codes)[:, None]
