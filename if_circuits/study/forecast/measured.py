"""Rates of this machine's CPU, from a few timed seconds: no weights but the embedded model's are loaded."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import torch

from if_circuits.generation.decoding import decode
from if_circuits.models.loading import load_model
from if_circuits.study.forecast.cell import cell_timer
from if_circuits.study.forecast.machine import HERE, Machine, probe_flops
from if_circuits.study.forecast.size import Size, size_of
from if_circuits.threads import one_thread_each, threads_for

_STEPS = 12
_COPIED = 64 * 2**20


def measure_here(size: Size, *, batch_size: int, n_tasks: int, rows: int, n_folds: int) -> Machine:
    """Matrix products of the model's width, a copy, calls, and a probe; each the fastest of a few.

    Probes are those of `n_tasks` tasks of `rows` rows each: small ones reach less than large ones.

    Calls are timed on `if-tiny`, at whose size little but them is left of a step of a batch; its matrix
    products are taken off.
    """
    with threads_for(size.d_model):
        matrix = _matrix_rate(min(512, max(16, batch_size)), size.d_model)
        source = torch.ones(_COPIED // 4)
        target = torch.empty_like(source)
        bandwidth = 2 * _COPIED / _fastest(lambda: target.copy_(source), times=5)
    with one_thread_each():
        block, probe = _block_seconds(batch_size), _probe_rate(n_tasks, rows, size.d_model, n_folds)
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


def _matrix_rate(rows: int, width: int) -> float:
    x, w = torch.randn(rows, width), torch.randn(width, 4 * width)
    return 2 * x.numel() * w.shape[1] / _fastest(lambda: x @ w, times=20)


def _block_seconds(rows: int) -> float:
    model = load_model("if-tiny")
    (prompt,) = model.chat.encode(["Write about the sea."])
    prompts, places = [prompt] * rows, range(rows)
    written = len(decode(model, [prompt], [0], max_new_tokens=1 + _STEPS)[0])
    with threads_for(model.d_model):
        first, whole = (
            _fastest(lambda n=n: decode(model, prompts, places, max_new_tokens=n), times=5)
            for n in (1, written)
        )
        products = 2 * rows * size_of(model.hf.config, name=model.name).block_parameters
        step = (whole - first) / max(1, written - 1) - products / _matrix_rate(rows, model.d_model)
    return max(step, 0.0) / model.n_layers


def _probe_rate(n_tasks: int, n: int, d: int, n_folds: int) -> float:
    cell = cell_timer(n_tasks, d, n_folds=n_folds)(n)
    return 2 * n_tasks * probe_flops(n, d) / cell


def _fastest(work: Callable[[], object], *, times: int) -> float:
    """Seconds of the fastest of some calls, after one that warms up."""
    work()
    taken: list[float] = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)
