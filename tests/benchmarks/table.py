"""A row of the benchmark table, and ratios measured with their spread."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Row:
    """One comparison with a named alternative on the same work."""

    what: str
    against: str
    ratio: float
    """Median over the repeats; what it divides by what, `what` and `against` say."""
    low: float
    high: float
    """Least and greatest ratio of the repeats."""
    reach: str
    """What the ratio should be, as "<= 1.1", ">= 50" or "> 1"."""

    @property
    def reached(self) -> bool:
        """Whether the median is where it should be."""
        sign, number = self.reach.split()
        compare = {"<=": operator.le, ">=": operator.ge, ">": operator.gt}[sign]
        return bool(compare(self.ratio, float(number)))

    @classmethod
    def of(cls, what: str, against: str, ratios: Float[np.ndarray, " repeats"], *, reach: str) -> Row:
        """The row of some repeats' ratios."""
        return cls(
            what, against, float(np.median(ratios)), float(np.min(ratios)), float(np.max(ratios)), reach
        )


def interleaved(
    ours: Callable[[], object], theirs: Callable[[], object], *, repeats: int
) -> tuple[Float[np.ndarray, " repeats"], Float[np.ndarray, " repeats"]]:
    """CPU seconds of the two, in turns so that a busy machine is busy for both; each is warmed up once.

    CPU time is that of all threads of this process: run both sides with one thread.
    """
    ours()
    theirs()
    seconds = np.array([(_cpu_seconds(ours), _cpu_seconds(theirs)) for _ in range(repeats)])
    return seconds[:, 0], seconds[:, 1]


def _cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
