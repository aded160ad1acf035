"""One stage of a study at work: skipped when it was done, timed, and recorded when it ends well."""

import resource
import time
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from if_circuits.models.loading import LoadedModel
from if_circuits.study.directory import StudyDirectory
from if_circuits.threads import one_thread_each, threads_for

Progress = Callable[[str, int, int], None]
"""Told the stage, how much of it is done, and of how much."""

_FINE = 1000
"""Steps in which the progress of a stage of several parts is told."""


class Stage:
    """A stage at work: tells how far it is, and keeps a list of what it wrote."""

    def __init__(self, name: str, progress: Progress) -> None:
        self.outputs: list[Path] = []
        self._name, self._progress = name, progress

    def wrote(self, *paths: Path) -> None:
        """Name files that are finished; the stage is done when it ends with all of them in place."""
        self.outputs.extend(paths)

    def report(self, done: int, total: int) -> None:
        """Tell how much of the stage is done."""
        self._progress(self._name, done, total)

    def part(self, before: float, share: float) -> Callable[[int, int], None]:
        """What reports the progress of a part, which begins at `before` and is `share` of the stage."""
        return lambda done, total: self.report(round(_FINE * (before + share * done / total)), _FINE)


@contextmanager
def stage(
    name: str,
    directory: StudyDirectory,
    *,
    inputs: Sequence[Path],
    progress: Progress,
    model: LoadedModel | None = None,
) -> Generator[Stage | None]:
    """Time a stage, and record it when it ends well; yields None when it was done before.

    It gets one thread for each numerical library, or those that its model has use for.
    """
    why = directory.ledger.pending(name, inputs)
    if why is None:
        yield None
        return
    if why:
        warnings.warn(f"{directory.root}: {why}; {name} is done again", stacklevel=4)
    at_work = Stage(name, progress)
    progress(name, 0, 1)
    started = time.perf_counter()
    with one_thread_each() if model is None else threads_for(model.d_model):
        yield at_work
    # The highest resident memory of the process so far, in kilobytes on Linux.
    peak_memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    directory.ledger.finish(
        name,
        inputs=inputs,
        outputs=at_work.outputs,
        seconds=time.perf_counter() - started,
        peak_memory_mb=peak_memory_mb,
    )
    progress(name, 1, 1)
