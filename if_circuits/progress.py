"""Progress of long calls: a bar where somebody looks, in a notebook or a terminal, and silence elsewhere."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

Report: TypeAlias = Callable[[int, int], None]
"""Told (done, in all)."""

Progress: TypeAlias = bool | Report | None
"""True for a bar, False for none, None for one in a notebook or a terminal; or a function of (done,
in all)."""


def part_of(report: Report | None, number: int, parts: int) -> Report | None:
    """What tells the progress of one of several parts, each as long as the others."""
    if report is None:
        return None
    return lambda done, total: report(number * total + done, parts * total)


class Steps:
    """Counts work that is done in steps as long as one another, and tells each."""

    def __init__(self, report: Report | None, total: int) -> None:
        self._report, self._total, self._done = report, total, 0

    def done(self) -> None:
        """One more step is done."""
        self._done += 1
        if self._report is not None:
            self._report(self._done, self._total)


class Shares:
    """Counts work in parts that differ in length, done in any order."""

    def __init__(self, report: Report | None, sizes: Sequence[int]) -> None:
        self._report, self._sizes, self._total = report, sizes, sum(sizes)
        self._before, self._told = 0, 0

    def part(self, number: int) -> Report | None:
        """What tells the progress of one part, in whatever steps, while no other one is at work."""
        if self._report is None:
            return None
        return lambda done, total: self._tell(self._before + round(self._sizes[number] * done / total))

    def done(self, number: int) -> None:
        """A part is done."""
        self._before += self._sizes[number]
        if self._told < self._before:
            self._tell(self._before)

    def _tell(self, done: int) -> None:
        self._told = done
        if self._report is not None:
            self._report(done, self._total)


@contextmanager
def reporting(progress: Progress, what: str) -> Generator[Report | None]:
    """What long work is to tell of its progress; the bar, if there is one, goes away at the end."""
    if callable(progress):
        yield progress
    elif progress is False or (progress is None and not _watched()):
        yield None
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a plain bar does where ipywidgets is not installed
            from tqdm.auto import tqdm

        with tqdm(desc=what, leave=False) as bar:

            def report(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            yield report


def _watched() -> bool:
    return "ipykernel" in sys.modules or sys.stderr.isatty()
