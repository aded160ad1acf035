"""Which of many logistic problems over one matrix are solved together, in which coordinates and precision.

With few features all problems share one design matrix, in batches that fit into a cache. With more features
than rows, problems that train on the same rows share a design matrix of those rows, and its Gram matrix.
Float32 comes first; what it cannot bring to its tolerance is solved again in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache

import numpy as np
from jaxtyping import Float, Int

from if_circuits.probes.coordinates import SMALL, ByFeature, ByRow, Coordinates, Precision
from if_circuits.probes.newton import Solution, minimise
from if_circuits.probes.standardise import Design, weighted_moments

BLOCK_ELEMENTS = 2**18
"""Entries of an [n, m] array in one batch of problems: a few megabytes, so that they stay in cache."""
PRODUCTS = 150
"""Products with the design matrix that a solution takes: some 40, and those of few problems are slow."""
SPECTRUM = 768
"""The same for the spectrum of a design matrix, which a Gram matrix gives almost for nothing."""
ROUGH = 10.0
"""How much wider the tolerance is while predictions come from a rounded Gram matrix."""


@dataclass(frozen=True)
class Rule:
    """What every problem of a call is solved under."""

    standardise: bool
    tolerance: float
    max_iterations: int


@dataclass(frozen=True, eq=False)
class Part:
    """Solved problems, by their column, in units of ((x - mean) / scale)."""

    columns: Int[np.ndarray, " k"]
    w: Float[np.ndarray, "k d"]
    b: Float[np.ndarray, " k"]
    mean: Float[np.ndarray, "k d"] | Float[np.ndarray, " d"]
    scale: Float[np.ndarray, "k d"] | Float[np.ndarray, " d"]
    solution: Solution


def solve_all(
    X: Float[np.ndarray, "n d"],
    sign: Float[np.ndarray, "m n"],
    a: Float[np.ndarray, "m n"],
    penalty: Float[np.ndarray, " m"],
    *,
    columns: Int[np.ndarray, " k"],
    rule: Rule,
) -> Iterator[Part]:
    """Solve the problems named in `columns`, in parts that together hold each of them once."""
    if not rule.standardise and _by_row_pays(len(X), X.shape[1], len(columns)):
        yield from _by_row(X, sign, a, penalty, columns, rule)
        return
    by_feature = list[Int[np.ndarray, " j"]]()
    for same in _same_rows(a, columns):
        if rule.standardise and _by_row_pays(int(np.count_nonzero(a[same[0]])), X.shape[1], len(same)):
            yield from _by_row(X, sign, a, penalty, same, rule)
        else:
            by_feature.append(same)
    if by_feature:
        yield from _by_feature(X, sign, a, penalty, by_feature, rule)


def _same_rows(a: Float[np.ndarray, "m n"], columns: Int[np.ndarray, " k"]) -> list[Int[np.ndarray, " j"]]:
    """Columns of equal weights, together."""
    together: dict[bytes, list[int]] = {}
    for column in columns.tolist():
        together.setdefault(a[column].tobytes(), []).append(column)
    return [np.array(same) for same in together.values()]


def _by_row_pays(n: int, d: int, m: int) -> bool:
    """Whether m problems' Gram matrix costs less than it saves in products, counted in multiplications."""
    saved = PRODUCTS * m * (4 * d - 2 * n) + SPECTRUM * d
    return d > SMALL and n < d and n * d < saved


def _by_row(
    X: Float[np.ndarray, "n d"],
    sign: Float[np.ndarray, "m n"],
    a: Float[np.ndarray, "m n"],
    penalty: Float[np.ndarray, " m"],
    same: Int[np.ndarray, " k"],
    rule: Rule,
) -> Iterator[Part]:
    """Problems of equal weights, or of any weights on features that are not scaled."""
    rows = np.flatnonzero(a[same].any(axis=0))
    X, weights = X[rows], a[same[0], rows] if rule.standardise else np.ones(len(rows))
    first = Design.of(X, standardise=rule.standardise, weights=weights, dtype=np.float32)

    @cache
    def space(dtype: Precision) -> ByRow:
        again = dtype is np.float64
        design = Design.of(X, standardise=rule.standardise, weights=weights) if again else first
        return ByRow.of(design.Z, problems=len(same), fast=dtype)

    for block in _blocks(np.arange(len(same)), len(rows)):
        at = same[block]
        w, found = _solve(space, block, sign[np.ix_(at, rows)], a[np.ix_(at, rows)], penalty[at], rule)
        shares = a[np.ix_(at, rows)].astype(np.float32)
        centre = shares @ first.Z / shares.sum(axis=1, keepdims=True)
        yield Part(at, w, found.b + np.einsum("md,md->m", centre, w), first.mean + centre, first.scale, found)


def _by_feature(
    X: Float[np.ndarray, "n d"],
    sign: Float[np.ndarray, "m n"],
    a: Float[np.ndarray, "m n"],
    penalty: Float[np.ndarray, " m"],
    groups: Sequence[Int[np.ndarray, " k"]],
    rule: Rule,
) -> Iterator[Part]:
    design = Design.of(X, standardise=rule.standardise)
    centres, spreads = weighted_moments(design.Z, a[[same[0] for same in groups]])
    if not rule.standardise:
        spreads = np.sign(spreads)
    inverses = np.divide(1.0, spreads, out=np.zeros_like(spreads), where=spreads > 0)
    columns, which = np.concatenate(groups), np.repeat(np.arange(len(groups)), [len(same) for same in groups])

    @cache
    def space(dtype: Precision) -> ByFeature:
        return ByFeature.of(design.Z, inverses[which], fast=dtype)

    for block in _blocks(np.arange(len(columns)), len(X)):
        at, spread, centre = columns[block], spreads[which[block]], centres[which[block]]
        w, found = _solve(space, block, sign[at], a[at], penalty[at], rule)
        # The solver leaves z uncentred; the public form centres it on the training rows.
        b = found.b + np.einsum("md,md->m", centre * inverses[which[block]], w)
        mean, scale = design.mean + centre * design.scale, np.where(spread > 0, spread * design.scale, 1.0)
        yield Part(at, w, b, mean, scale, found)


def _blocks(columns: Int[np.ndarray, " k"], n: int) -> list[Int[np.ndarray, " j"]]:
    return np.array_split(columns, -(-len(columns) * n // BLOCK_ELEMENTS))


def _solve(
    space: Callable[[Precision], Coordinates],
    block: Int[np.ndarray, " m"],
    sign: Float[np.ndarray, "m n"],
    a: Float[np.ndarray, "m n"],
    penalty: Float[np.ndarray, " m"],
    rule: Rule,
) -> tuple[Float[np.ndarray, "m d"], Solution]:
    """Weights, and how they were found: in float64 where float32 ended early without having converged."""

    def solved(
        space: Coordinates, rows: Int[np.ndarray, " k"], start: Solution | None = None, *, rough: bool = False
    ) -> Solution:
        return minimise(
            space,
            sign[rows],
            a[rows],
            penalty=penalty[rows],
            tolerance=ROUGH * rule.tolerance if rough else rule.tolerance,
            max_iterations=rule.max_iterations,
            start=start,
            rough=rough,
        )

    everything = np.arange(len(block))
    quick = space(np.float32).take(block)
    if isinstance(quick, ByRow):
        found = solved(quick, everything, rough=True)
        ended = found.iterations
        found = solved(quick, everything, found)
        found.iterations[:] += ended
    else:
        found = solved(quick, everything)
    w = quick.weights(found.x)
    doubtful = np.flatnonzero(~found.converged & (found.iterations < rule.max_iterations))
    if len(doubtful):
        exact = space(np.float64).take(block[doubtful])
        better = solved(exact, doubtful)
        w[doubtful] = exact.weights(better.x)
        for field in fields(Solution)[1:]:
            getattr(found, field.name)[doubtful] = getattr(better, field.name)
    return w, found
