"""Something that units need besides themselves: a worker notes each time that it loads it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from if_circuits.errors import InputError
from if_circuits.progress import Report
from tests.engine.units import Numbered, dies_once


@dataclass(frozen=True)
class Tenfold:
    folder: Path
    factor: int = 10
    n_gpus: int = 0

    def load(self) -> int:
        if self.factor < 0:
            raise InputError("there is no such factor here")
        (self.folder / f"loaded-by-{os.getpid()}-{self.factor}").touch(exist_ok=False)
        return self.factor


def times(factor: int, unit: Numbered, progress: Report | None) -> int:
    if progress is not None:
        progress(1, 2)
    return factor * unit.number


def times_or_dies(factor: int, unit: Numbered, progress: Report | None) -> int:
    return times(factor, Numbered(dies_once(unit)), progress)
