"""Which of many logistic problems over one matrix are solved together, in which coordinates and precision.

With few features, or more rows than features, all problems share one design matrix, in batches that fit into
a cache. Otherwise they share a Gram matrix: all of them where their training rows give the features nearly
the same scales, as folds do, and otherwise those that train on the same rows. Float32 comes first; what it
cannot bring to its tolerance is solved again in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, cached_property

import numpy as np
from jaxtyping import Float, Int

from if_circuits.probes.solver.coordinates import ByFeature, ByRow, Coordinates
from if_circuits.probes.solver.costs import a_gram_matrix_may_pay, by_row_pays, sharing_pays
from if_circuits.probes.solver.newton import Solution, minimise
from if_circuits.probes.solver.spectrum import Precision
from if_circuits.probes.solver.standardise import Design, weighted_moments

BLOCK_ELEMENTS = 2**18
"""Entries of an [n, m] array in one batch of problems: a few megabytes, so that they stay in cache."""
NEAR = 2.0
"""Ratio up to which a feature's variance in a training set may differ from that in all, to share their Gram
matrix."""
ROUGH = 10.0
"""How much wider the tolerance is while predictions come from a rounded Gram matrix."""
SHARED_ROUGH = 1000.0
"""The same of one that is shared, and so off by more."""
SHARED_ITERATIONS = 20
"""Newton steps after which a problem would rather have a Gram matrix of its own; most take five."""


@dataclass(frozen=True)
class Rule:
    """What every problem of a call is solved under."""

    standardise: bool
    tolerance: float
    max_iterations: int


class Matrix:
    """Features of many problems, and what those over all rows share: computed when asked for, and kept."""

    def __init__(self, X: Float[np.ndarray, "n d"], *, standardise: bool = True) -> None:
        self.X = X
        self._standardise = standardise

    @cached_property
    def quick(self) -> Design:
        """Common units in float32."""
        return Design.of(self.X, standardise=self._standardise, dtype=np.float32)

    @cached_property
    def exact(self) -> Design:
        """Common units in float64."""
        return Design.of(self.X, standardise=self._standardise)

    @cached_property
    def by_row(self) -> ByRow:
        """Coordinates of no problem yet, over `quick`."""
        return ByRow.of(self.quick.Z, problems=0)

    @cached_property
    def by_feature(self) -> ByFeature:
        """Coordinates of no problem yet, over `exact`; Newton steps are in float32."""
        return ByFeature.of(self.exact.Z, np.empty((0, self.X.shape[1])))


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
    matrix: Matrix,
    sign: Float[np.ndarray, "m n"],
    a: Float[np.ndarray, "m n"],
    penalty: Float[np.ndarray, " m"],
    *,
    columns: Int[np.ndarray, " k"],
    rule: Rule,
) -> Iterator[Part]:
    """Solve the problems named in `columns`, in parts that together hold each of them once."""
    X = matrix.X
    if not rule.standardise and by_row_pays(len(X), X.shape[1], len(columns)):
        yield from _by_row(X, sign, a, penalty, columns, rule)
        return
    groups, by_feature = _same_rows(a, columns), list[Int[np.ndarray, " j"]]()
    if rule.standardise and len(groups) > 1:
        if not a_gram_matrix_may_pay(*X.shape):
            yield from _by_feature(matrix, sign, a, penalty, groups, rule)
            return
        sets = [(int(np.count_nonzero(a[same[0]])), len(same)) for same in groups]
        if sharing_pays(*X.shape, sets=sets):
            parts, alone = _by_shared_row(matrix, sign, a, penalty, groups, rule)
            yield from parts
            groups = _same_rows(a, alone)
    for same in groups:
        if rule.standardise and by_row_pays(int(np.count_nonzero(a[same[0]])), X.shape[1], len(same)):
            yield from _by_row(X, sign, a, penalty, same, rule)
        else:
            by_feature.append(same)
    if by_feature:
        yield from _by_feature(matrix, sign, a, penalty, by_feature, rule)


def _same_rows(a: Float[np.ndarray, "m n"], columns: Int[np.ndarray, " k"]) -> list[Int[np.ndarray, " j"]]:
    """Columns of equal weights, together."""
    together: dict[bytes, list[int]] = {}
    for column in columns.tolist():
        together.setdefault(a[column].tobytes(), []).append(column)
    return [np.array(same) for same in together.values()]


def _by_shared_row(
    matrix: Matrix,
    sign: Float[np.ndarray, "m n"],
    a: Float[np.ndarray, "m n"],
    penalty: Float[np.ndarray, " m"],
    groups: Sequence[Int[np.ndarray, " k"]],
    rule: Rule,
) -> tuple[list[Part], Int[np.ndarray, " j"]]:
    """Problems whose scales are near those of all rows; and the columns of the others and the unsolved."""
    rows = np.flatnonzero(a[np.concatenate(groups)].any(axis=0))
    matrix = matrix if len(rows) == len(matrix.X) else Matrix(matrix.X[rows])
    design = matrix.quick
    # Digits that float32 loses are of features whose scale is far from one here.
    first = np.array([same[0] for same in groups])
    centres, spreads = weighted_moments(design.Z, a[np.ix_(first, rows)].astype(np.float32))
    constant = ~design.Z.any(axis=0)
    spreads[:, constant] = 1.0
    near = np.asarray(((spreads**2 <= NEAR) & (spreads**2 >= 1 / NEAR)).all(axis=1))
    together = [same for same, is_near in zip(groups, near, strict=True) if is_near]
    if len(together) < 2:
        return [], np.concatenate(groups)
    parts, alone = list[Part](), [same for same, is_near in zip(groups, near, strict=True) if not is_near]
    shared, columns = np.flatnonzero(near), np.concatenate(together)
    which = np.repeat(shared, [len(same) for same in together])
    inverses = np.ones_like(spreads)
    inverses[shared] /= spreads[shared]
    space = matrix.by_row.of_problems(inverses[which])
    brief = replace(rule, max_iterations=min(rule.max_iterations, SHARED_ITERATIONS))
    for block in _blocks(np.arange(len(columns)), len(rows)):
        at, kind = columns[block], which[block]
        quick = space.take(block)
        found = _in_float32(quick, sign[np.ix_(at, rows)], a[np.ix_(at, rows)], penalty[at], brief)
        alone.append(at[~found.converged])
        w, centre = quick.weights(found.x), centres[kind]
        b = found.b + np.einsum("md,md->m", centre * inverses[kind], w)
        mean, scale = design.mean + centre * design.scale, spreads[kind] * design.scale
        kept = np.flatnonzero(found.converged)
        parts.append(Part(at[kept], w[kept], b[kept], mean[kept], scale[kept], found.take(kept)))
    return parts, np.concatenate(alone)


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
    matrix: Matrix,
    sign: Float[np.ndarray, "m n"],
    a: Float[np.ndarray, "m n"],
    penalty: Float[np.ndarray, " m"],
    groups: Sequence[Int[np.ndarray, " k"]],
    rule: Rule,
) -> Iterator[Part]:
    matrix = matrix if rule.standardise else Matrix(matrix.X, standardise=False)
    design = matrix.exact
    centres, spreads = weighted_moments(design.Z, a[[same[0] for same in groups]])
    if not rule.standardise:
        spreads = np.sign(spreads)
    inverses = np.divide(1.0, spreads, out=np.zeros_like(spreads), where=spreads > 0)
    columns, which = np.concatenate(groups), np.repeat(np.arange(len(groups)), [len(same) for same in groups])

    @cache
    def space(dtype: Precision) -> ByFeature:
        if dtype is np.float32:
            return matrix.by_feature.of_problems(inverses[which])
        return ByFeature.of(design.Z, inverses[which], fast=dtype)

    for block in _blocks(np.arange(len(columns)), len(design.Z)):
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
    quick = space(np.float32).take(block)
    found = _in_float32(quick, sign, a, penalty, rule)
    w = quick.weights(found.x)
    doubtful = np.flatnonzero(~found.converged & (found.iterations < rule.max_iterations))
    if len(doubtful):
        exact = space(np.float64).take(block[doubtful])
        better = minimise(
            exact,
            sign[doubtful],
            a[doubtful],
            penalty=penalty[doubtful],
            tolerance=rule.tolerance,
            max_iterations=rule.max_iterations,
        )
        w[doubtful] = exact.weights(better.x)
        for field in fields(Solution)[1:]:
            getattr(found, field.name)[doubtful] = getattr(better, field.name)
    return w, found


def _in_float32(
    space: Coordinates,
    sign: Float[np.ndarray, "m n"],
    a: Float[np.ndarray, "m n"],
    penalty: Float[np.ndarray, " m"],
    rule: Rule,
) -> Solution:
    """By row from a rough solution, which never leaves the Gram matrix."""

    def solved(tolerance: float, start: Solution | None = None, *, rough: bool = False) -> Solution:
        return minimise(
            space,
            sign,
            a,
            penalty=penalty,
            tolerance=tolerance,
            max_iterations=rule.max_iterations,
            start=start,
            rough=rough,
        )

    if not isinstance(space, ByRow):
        return solved(rule.tolerance)
    wider = ROUGH if space.inverse_scale is None else SHARED_ROUGH
    start = solved(wider * rule.tolerance, rough=True)
    found = solved(rule.tolerance, start)
    found.iterations[:] += start.iterations
    return found
