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
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from if_circuits.probes.across_folds import DEFAULT_CS as CS
from if_circuits.probes.control import control_tasks
from if_circuits.probes.logistic import fit_logistic
from tests.benchmarks.table import Row, interleaved

N, D, FOLDS = 1000, 2304, 5
TASKS, LAYERS = 2, 2
CONTROLS, TIMED_CONTROLS = 20, 4
"""A loop over scikit-learn shares nothing between labellings, so a few of them tell the time of all."""
TRAIN = np.arange(N)[:, None] % FOLDS != np.arange(FOLDS)


@dataclass(frozen=True, eq=False)
class Cell:
    """A task at a layer: float32 activations, as they are stored, and labels, one column a labelling."""

    X: Float[np.ndarray, "n d"]
    labels: Bool[np.ndarray, "n labellings"]


def rows() -> list[Row]:
    """scikit-learn's time over ours."""
    grid, found = [_cell(seed) for seed in range(TASKS * LAYERS)], list[Row]()
    what = f"probe grid, {TASKS} tasks x {LAYERS} layers x {FOLDS} folds x {len(CS)} penalties"
    for tolerance in (1e-4, 1e-6):
        mine, theirs = interleaved(
            lambda: [ours(cell) for cell in grid],
            lambda tolerance=tolerance: [loop(cell, tolerance) for cell in grid],
            repeats=3,
        )
        found.append(Row.of(what, f"scikit-learn lbfgs, tol = {tolerance:g}", theirs / mine, reach=">= 50"))
    found += _with_controls() + _on_all_cores(grid, what) + [_memory(grid[0])]
    return found


def _cell(seed: int, *, controls: int = 0) -> Cell:
    """Rows of a power-law spectrum, labelled by a noisy direction."""
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((D, D)) * np.arange(1, D + 1)[:, None] ** -0.5
    X = (rng.standard_normal((N, D)) @ mixing).astype(np.float32)
    along = X @ rng.standard_normal(D)
    y = rng.random(N) < 1 / (1 + np.exp(-1.5 * along / along.std()))
    return Cell(X, control_tasks(y, np.arange(N) // 4, n_controls=controls, seed=seed))


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
    scale, found = cell.labels.shape[1] / some.labels.shape[1], list[Row]()
    for tolerance in (1e-4, 1e-6):
        mine, theirs = interleaved(
            lambda: ours(cell), lambda tolerance=tolerance: loop(some, tolerance), repeats=3
        )
        what, against = f"a cell and {CONTROLS} control tasks", f"scikit-learn lbfgs, tol = {tolerance:g}"
        found.append(Row.of(what, against, scale * theirs / mine, reach=">= 50"))
    return found


def _on_all_cores(grid: Sequence[Cell], what: str) -> list[Row]:
    """Wall-clock time: a process of joblib's for each core, and a thread of ours for each."""
    cores, found = os.cpu_count() or 1, list[Row]()
    with ThreadPoolExecutor(cores) as threads, Parallel(n_jobs=cores) as processes:
        for tolerance in (1e-4, 1e-6):
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
            against = f"scikit-learn lbfgs, tol = {tolerance:g}, joblib; wall clock, {cores} cores each"
            found.append(Row.of(what, against, theirs / mine, reach=">= 50"))
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
    against = f"its activations, {cell.X.nbytes / 2**20:.1f} MiB"
    return Row.of("peak memory of a cell", against, np.array([peak / cell.X.nbytes]), reach="<= 5")
