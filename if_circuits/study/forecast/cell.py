"""The probes of one layer and position, timed on random rows: what a study's probes are counted in."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import numpy as np

from if_circuits.analyses.shared.probing import STUDY_CS
from if_circuits.analyses.specialist_vs_general.fitting import LARGE_C
from if_circuits.probes.across_folds import fit_across_folds
from if_circuits.study.forecast.machine import lone_probe_seconds
from if_circuits.threads import one_thread_each

REAL = 1.6
"""Times random rows. Rows of one base query are alike, and their fits take more steps."""
_MOST_ROWS = 300
"""Of a task. More would take longer than a forecast should."""


def cell_timer(n_tasks: int, d_model: int, *, n_folds: int) -> Callable[[int], float]:
    """Seconds of one core by rows a task: specialists, generals of equal totals, probes of all tasks' rows.

    More than a few hundred rows are reckoned from so many, as a probe by itself grows (`machine`). Each size
    is timed once.
    """

    @cache
    def timed(rows: int) -> float:
        with one_thread_each():
            return min(_random_cell(n_tasks, rows, d_model, n_folds) for _ in range(2))

    def seconds(rows: int) -> float:
        fewer = min(rows, _MOST_ROWS)
        larger = lone_probe_seconds(rows, d_model) / lone_probe_seconds(fewer, d_model)
        return REAL * larger * timed(fewer)

    return seconds


def _random_cell(n_tasks: int, rows: int, d_model: int, n_folds: int) -> float:
    rng = np.random.default_rng(0)
    task = np.repeat(np.arange(n_tasks), rows)
    X, y = rng.standard_normal((len(task), d_model)), rng.random(len(task)) < 0.5
    own, shared = task[:, None] == np.arange(n_tasks), rng.random((len(task), n_tasks)) < 1 / n_tasks
    everyone = np.hstack([np.ones((len(task), 1), dtype=bool), ~own])
    folds = np.arange(len(task)) % n_folds
    started = time.perf_counter()
    fit_across_folds(X, y, fold_of_row=folds, train=np.hstack([own, shared]), Cs=STUDY_CS)
    fit_across_folds(X, y, fold_of_row=folds, train=everyone, Cs=[LARGE_C])
    return time.perf_counter() - started
