"""The probe grid: tasks x layers x folds x penalties of probes, at n = 1000 rows a task and d = 2304.

Every cell, a task at a layer, has activations and labels of its own, so all that is shared is what a study
could share: the folds and penalties of a cell, and its control labellings where there are any. One thread on
each side, but for the rows that say so, where both use all cores. scikit-learn's own tolerance of 1e-4 leaves
decision values up to 5 % off under the lightest penalty, so it is timed at that one and at 1e-6.
"""

from __future__ import annotations

import os
import time
import tracemalloc
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Int
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from if_circuits.analyses.shared.probing import STUDY_CS
from if_circuits.probes.across_folds import DEFAULT_CS as CS
from if_circuits.probes.across_folds import fit_across_folds
from if_circuits.probes.control import control_tasks
from if_circuits.probes.logistic import fit_logistic
from tests.benchmarks.limits import gram_bound
from tests.benchmarks.table import Limit, Row, timed_rows
from tests.benchmarks.timing import interleaved

N, D, FOLDS = 1000, 2304, 5
TASKS, LAYERS = 2, 2
CONTROLS, TIMED_CONTROLS = 20, 4
"""A loop over scikit-learn shares nothing between labellings, so a few of them tell the time of all."""
AGAINST = {f"scikit-learn lbfgs, tol = {tolerance:g}": tolerance for tolerance in (1e-4, 1e-6)}
EXACT = "scikit-learn lbfgs, tol = 1e-06"
SHARE = ">= 0.333"
"""Of a cell: at most three times its one Gram matrix."""
TRAIN = np.arange(N)[:, None] % FOLDS != np.arange(FOLDS)


@dataclass(frozen=True, eq=False)
class Cell:
    """A task at a layer: float32 activations, as they are stored, and labels, one column a labelling."""

    X: Float[np.ndarray, "n d"]
    labels: Bool[np.ndarray, "n labellings"]


def rows() -> list[Row]:
    """scikit-learn's time and ours, and that of the Gram matrices."""
    grid = [_cell(seed) for seed in range(TASKS * LAYERS)]
    what = f"probe grid, {TASKS} tasks x {LAYERS} layers x {FOLDS} folds x {len(CS)} penalties"
    bound = gram_bound(grid[0].X, times=len(grid))
    taken = interleaved(
        lambda: [ours(cell) for cell in grid],
        {
            against: lambda tolerance=tolerance: [loop(cell, tolerance) for cell in grid]
            for against, tolerance in AGAINST.items()
        },
        repeats=3,
        bound=bound,
    )
    limit = Limit.timed(bound, taken, reach=SHARE)
    found = timed_rows(what, taken, dict.fromkeys(AGAINST, ">= 50"), limit=limit)
    return [*found, *_with_controls(), *_of_a_study(), *_on_all_cores(grid, what), _memory(grid[0])]


def _cell(seed: int, *, n: int = N, d: int = D, controls: int = 0) -> Cell:
    """Rows of a power-law spectrum, labelled by a noisy direction."""
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((d, d)) * np.arange(1, d + 1)[:, None] ** -0.5
    X = (rng.standard_normal((n, d)) @ mixing).astype(np.float32)
    along = X @ rng.standard_normal(d)
    y = rng.random(n) < 1 / (1 + np.exp(-1.5 * along / along.std()))
    return Cell(X, control_tasks(y, np.arange(n) // 4, n_controls=controls, seed=seed))


def ours(cell: Cell) -> Float[np.ndarray, "n m"]:
    """Decision values of every fold and penalty of every labelling."""
    k, m = cell.labels.shape[1], FOLDS * len(CS)
    weights = np.tile(np.repeat(TRAIN, len(CS), axis=1), (1, k))
    labels = np.repeat(cell.labels, m, axis=1)
    return fit_logistic(cell.X, labels, weights=weights, C=np.tile(CS, FOLDS * k)).scores(cell.X)


def loop(cell: Cell, tolerance: float) -> list[Float[np.ndarray, " n"]]:
    """The same with scikit-learn."""
    return [_fit(cell.X, y, used, C, tolerance) for y in cell.labels.T for used in TRAIN.T for C in CS]


def _fit(
    X: Float[np.ndarray, "n d"],
    y: Bool[np.ndarray, " n"],
    used: Bool[np.ndarray, " n"],
    C: float,
    tolerance: float,
) -> Float[np.ndarray, " n"]:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=C, tol=tolerance, max_iter=10_000))
    return model.fit(X[used], y[used]).decision_function(X)


def _with_controls() -> list[Row]:
    cell = _cell(0, controls=CONTROLS)
    some = Cell(cell.X, cell.labels[:, : 1 + TIMED_CONTROLS])
    scale, bound = cell.labels.shape[1] / some.labels.shape[1], gram_bound(cell.X)
    taken = interleaved(
        lambda: ours(cell),
        {
            against: lambda tolerance=tolerance: loop(some, tolerance)
            for against, tolerance in AGAINST.items()
        },
        repeats=3,
        bound=bound,
    )
    whole = replace(taken, others={name: scale * seconds for name, seconds in taken.others.items()})
    limit = Limit.timed(bound, taken)
    what = f"a cell and {CONTROLS} control tasks"
    return timed_rows(what, whole, dict.fromkeys(AGAINST, ">= 50"), limit=limit)


def _of_a_study() -> list[Row]:
    """A cell as a study has it: the penalty of each fold chosen on the other folds."""
    n, d = 600, 576
    cell, folds = _cell(0, n=n, d=d), np.arange(n) // 4 % FOLDS
    X, y = cell.X.astype(np.float64), cell.labels[:, 0]
    bound = gram_bound(X)
    taken = interleaved(
        lambda: fit_across_folds(X, y, fold_of_row=folds, train=np.ones((n, 1)), Cs=STUDY_CS),
        {EXACT: lambda: nested_loop(X, y, folds)},
        repeats=5,
        bound=bound,
    )
    what = f"a cell of a study, n = {n}, d = {d}, {FOLDS} folds, {len(STUDY_CS)} penalties, nested"
    return timed_rows(what, taken, {EXACT: ">= 50"}, limit=Limit.timed(bound, taken, reach=SHARE))


def nested_loop(
    X: Float[np.ndarray, "n d"], y: Bool[np.ndarray, " n"], folds: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Held-out decision values with scikit-learn, a fit without two folds serving the choice for both."""
    losses, scores = np.zeros((FOLDS, len(STUDY_CS))), np.empty(len(y))
    for k, other in combinations(range(FOLDS), 2):
        for j, C in enumerate(STUDY_CS):
            margin = np.where(y, 1.0, -1.0) * _fit(X, y, (folds != k) & (folds != other), C, 1e-6)
            loss = np.logaddexp(0.0, -margin)
            losses[k, j] += loss[folds == other].sum()
            losses[other, j] += loss[folds == k].sum()
    for k, C in enumerate(np.array(STUDY_CS)[losses.argmin(axis=1)]):
        scores[folds == k] = _fit(X, y, folds != k, C, 1e-6)[folds == k]
    return scores


def _on_all_cores(grid: Sequence[Cell], what: str) -> list[Row]:
    """Wall-clock time: a process of joblib's for each core, and a thread of ours for each."""
    cores, found = os.cpu_count() or 1, list[Row]()
    with ThreadPoolExecutor(cores) as threads, Parallel(n_jobs=cores) as processes:
        for against, tolerance in AGAINST.items():
            fits = [
                delayed(_fit)(cell.X, y, used, C, tolerance)
                for cell in grid
                for y in cell.labels.T
                for used in TRAIN.T
                for C in CS
            ]
            # The first of each warms the workers up.
            pairs = [
                (
                    _seconds(lambda fits=fits: processes(fits)),
                    _seconds(lambda: list(threads.map(ours, grid))),
                )
                for _ in range(4)
            ]
            theirs, mine = np.array(pairs[1:]).T
            on = f"{what}; wall clock, {cores} cores each"
            found.append(Row.of(on, mine, f"{against}, joblib", theirs, reach=">= 50"))
    return found


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _memory(cell: Cell) -> Row:
    tracemalloc.start()
    ours(cell)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    taken, activations = np.array([peak]) / 2**20, np.array([cell.X.nbytes]) / 2**20
    return Row.of("peak memory of a cell", taken, "its activations", activations, reach="<= 5", unit="MiB")
