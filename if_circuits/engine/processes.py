"""Several processes of this machine. They are joblib's, started once, and stay until the engine is closed."""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import Any, cast

import joblib
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import BrokenProcessPool

from if_circuits.engine.base import Engine, Result, Unit, carried_out
from if_circuits.engine.held import WithHeld, let_go
from if_circuits.errors import InputError

MOST_DEATHS = 3
"""Workers that may die, one after the other without a unit done in between, before the work is given up."""
_SHOWN = 4
_LOOKS_EVERY = 1.0
"""Seconds after which a worker sees that it is alone."""


@dataclass(frozen=True)
class Processes(Engine):
    """Several units at a time, each in a process of its own.

    The workers share the cores: each gets as many threads of BLAS and torch as there are cores for it. They
    import what a function needs when they meet it first, and keep it. A unit whose worker was killed is done
    again.
    """

    workers: int

    @property
    def threads(self) -> int:
        """Threads of a worker: those of all workers are no more than the cores, unless the workers are."""
        return max(1, joblib.cpu_count() // self.workers)

    def completed(
        self, function: Callable[[Unit], Result], units: Sequence[Unit]
    ) -> Generator[tuple[int, Result]]:
        left, deaths = dict(enumerate(units)), 0
        while left:
            try:
                with _ended(self._started(function, list(left.items()))) as results:
                    for place, result in results:
                        del left[place]
                        deaths = 0
                        yield place, result
            except BrokenProcessPool as error:
                deaths += 1
                if deaths == MOST_DEATHS:
                    raise InputError(
                        f"{deaths} workers in a row were killed, the last at work on one of "
                        f"{'; '.join(map(str, list(left.values())[:_SHOWN]))}: often for want of memory, so "
                        "try fewer workers"
                    ) from error

    def _started(
        self, function: Callable[[Unit], Result], units: Sequence[tuple[int, Unit]]
    ) -> Generator[tuple[int, Result]]:
        options: dict[str, Any] = {
            "backend": "loky",
            "return_as": "generator_unordered",
            "batch_size": 1,
            "pre_dispatch": 2 * self.workers,
            "max_nbytes": None,
            "inner_max_num_threads": self.threads,
            "initializer": _begin,
            "initargs": (os.getpid(),),
        }
        parallel = joblib.Parallel(self.workers, **options)
        at_work = joblib.delayed(partial(_placed, function))
        return cast(Any, parallel(at_work(place, unit) for place, unit in units))

    def close(self) -> None:
        """Stop the workers, at once."""
        get_reusable_executor().shutdown(wait=True, kill_workers=True)


@contextmanager
def _ended(results: Generator[Result]) -> Generator[Generator[Result]]:
    """Sees to it that what is at work is stopped, about which joblib would warn."""
    try:
        yield results
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results.close()


def _begin(parent: int) -> None:
    """What a worker does first."""
    # Ctrl-C reaches every process of a terminal; the one that hands out the units sees to the rest.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End as soon as the process is gone that hands out the units, were it killed."""
    while os.getppid() == parent:
        time.sleep(_LOOKS_EVERY)
    os._exit(1)


def _placed(function: Callable[[Unit], Result], place: int, unit: Unit) -> tuple[int, Result]:
    if not isinstance(function, WithHeld):
        let_go()  # the memory is for other work now
    return place, carried_out(function, unit)
