"""Rates of this machine's CPU, from a few timed seconds: no weights but the embedded model's are loaded."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
import torch

from if_circuits.analyses.shared.probing import STUDY_CS
from if_circuits.generation.decoding import decode
from if_circuits.models.loading import load_model
from if_circuits.probes.across_folds import fit_across_folds
from if_circuits.study.forecast.machine import HERE, Machine, probe_flops
from if_circuits.study.forecast.size import Size
from if_circuits.threads import one_thread_each, threads_for

_MOST_ROWS = 1000
_STEPS = 12
_COPIED = 64 * 2**20


def measure_here(size: Size, *, batch_size: int, rows: int, n_folds: int) -> Machine:
    """Matrix products of the model's width, a copy, calls, and a probe; each the fastest of a few.

    A probe has `rows` rows, as far as that takes no long time: small ones reach less than large ones.

    Calls are timed on `if-tiny`, at whose size little else is left of a step of one row.
    """
    with threads_for(size.d_model):
        x = torch.randn(min(512, max(16, batch_size)), size.d_model)
        w = torch.randn(size.d_model, 4 * size.d_model)
        matrix = 2 * x.numel() * w.shape[1] / _fastest(lambda: x @ w, times=20)
        source = torch.ones(_COPIED // 4)
        target = torch.empty_like(source)
        bandwidth = 2 * _COPIED / _fastest(lambda: target.copy_(source), times=5)
    with one_thread_each():
        block, probe = _block_seconds(), _probe_rate(min(rows, _MOST_ROWS), size.d_model, n_folds)
    return Machine(
        name=HERE,
        matrix_rate=matrix,
        bandwidth=bandwidth,
        memory=float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")),
        block_seconds=block,
        probe_rate=probe,
        dollars_per_hour=0.0,
        overlaps=False,
    )


def _block_seconds() -> float:
    model = load_model("if-tiny")
    (prompt,) = model.chat.encode(["Write about the sea."])
    written = len(decode(model, [prompt], [0], max_new_tokens=1 + _STEPS)[0])
    with threads_for(model.d_model):
        first, whole = (
            _fastest(lambda n=n: decode(model, [prompt], [0], max_new_tokens=n), times=5)
            for n in (1, written)
        )
    return max(whole - first, 0.0) / max(1, written - 1) / model.n_layers


def _probe_rate(n: int, d: int, n_folds: int) -> float:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, d)), rng.random(n) < 0.5
    folds, train = np.arange(n) % n_folds, np.ones((n, 1), dtype=bool)
    taken = _fastest(lambda: fit_across_folds(X, y, fold_of_row=folds, train=train, Cs=STUDY_CS), times=3)
    return probe_flops(n, d) / taken


def _fastest(work: Callable[[], object], *, times: int) -> float:
    """Seconds of the fastest of some calls, after one that warms up."""
    work()
    taken: list[float] = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)
