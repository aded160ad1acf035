"""Work timed in turns: ours, its alternatives, and what the machine allows.

A bound says how often the work in question needs some simple work, such as a product of its own sizes. The
simple work alone is timed, between the others, and multiplied.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

Work: TypeAlias = Callable[[], object]
Repeats: TypeAlias = Float[np.ndarray, " repeats"]


@dataclass(frozen=True)
class Part:
    """Simple work, and how much of it is needed."""

    work: Work
    times: float


@dataclass(frozen=True)
class Bound:
    """The least that some work takes on this machine."""

    name: str
    parts: tuple[Part, ...]
    amount: float = 0.0
    """What is computed or moved, in giga-units; 0 where a rate would say nothing."""
    unit: str = ""
    """Of the rate: GFLOP/s or GB/s."""

    def described(self, seconds: Repeats) -> str:
        """The name, with the rate that was reached."""
        if not self.amount:
            return self.name
        return f"{self.name}, {self.amount / float(np.median(seconds)):.3g} {self.unit}"


@dataclass(frozen=True)
class Seconds:
    """CPU seconds of each repeat."""

    ours: Repeats
    others: Mapping[str, Repeats]
    bound: Repeats | None = None


def interleaved(
    ours: Work, others: Mapping[str, Work], *, repeats: int, bound: Bound | None = None
) -> Seconds:
    """Each in turns, so that a busy machine is busy for all; each is warmed up once.

    CPU time is that of all threads of this process: run all sides with one thread.
    """
    parts = bound.parts if bound else ()
    works = (ours, *others.values(), *(part.work for part in parts))
    for work in works:
        work()
    first, *rest = np.array([[_cpu_seconds(work) for work in works] for _ in range(repeats)]).T
    found = dict(zip(others, rest, strict=False))
    needed = [part.times * taken for part, taken in zip(parts, rest[len(others) :], strict=True)]
    return Seconds(first, found, np.sum(needed, axis=0) if bound else None)


def _cpu_seconds(work: Work) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
