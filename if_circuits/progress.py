"""Progress of long calls: a bar where somebody looks, in a notebook or a terminal, and silence elsewhere."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeAlias

Report: TypeAlias = Callable[[int, int], None]
"""Told (done, in all)."""

Progress: TypeAlias = bool | Report | None
"""True for a bar, False for none, None for one in a notebook or a terminal; or a function of (done,
in all)."""


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
