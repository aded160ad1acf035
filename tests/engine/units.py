"""Units that the tests of engines hand out: a worker imports them from here."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from if_circuits.errors import InputError


@dataclass(frozen=True)
class Numbered:
    number: int
    folder: Path = Path()

    def __str__(self) -> str:
        return f"unit {self.number}"


def drawn(unit: Numbered) -> float:
    """A number that follows from the unit, later for earlier units."""
    time.sleep(0.02 * (unit.number < 2))
    return float(np.random.default_rng(unit.number).standard_normal(100).sum())


def threads(unit: Numbered) -> tuple[int, int]:
    """Process, and the threads that it was configured with."""
    del unit
    return os.getpid(), int(os.environ["OMP_NUM_THREADS"])


def fails_at_three(unit: Numbered) -> int:
    if unit.number == 3:
        raise InputError("three is not wanted")
    return unit.number


def dies_once(unit: Numbered) -> int:
    """Kills the worker that meets unit 2 or 5 for the first time."""
    died = unit.folder / f"died-{unit.number}"
    if unit.number in (2, 5) and not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return unit.number


def dies(unit: Numbered) -> int:
    if unit.number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return unit.number


def sleeps(unit: Numbered) -> int:
    (unit.folder / f"begun-{os.getpid()}").touch()
    time.sleep(60)
    return unit.number
