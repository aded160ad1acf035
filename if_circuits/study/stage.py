"""One stage of a study at work: skipped when it was done, timed, and recorded when it ends well."""

import logging
import resource
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from if_circuits.study.directory import StudyDirectory
from if_circuits.study.keys import StageKeys
from if_circuits.study.order import inputs_of
from if_circuits.threads import one_thread_each

StageProgress = Callable[[str, int, int], None]
"""Told the stage, how much of it is done, and of how much."""

_logger = logging.getLogger(__name__)


class Stage:
    """A stage at work: tells how far it is, and keeps a list of what it wrote."""

    def __init__(self, name: str, progress: StageProgress) -> None:
        self.outputs: list[Path] = []
        self._name, self._progress = name, progress

    def wrote(self, *paths: Path) -> None:
        """Name files that are finished; the stage is done when it ends with all of them in place."""
        self.outputs.extend(paths)

    def report(self, done: int, total: int) -> None:
        """Tell how much of the stage is done."""
        self._progress(self._name, done, total)


@contextmanager
def stage(
    name: str,
    directory: StudyDirectory,
    *,
    progress: StageProgress,
    discard: Callable[[], None] = lambda: None,
) -> Generator[Stage | None]:
    """Time a stage, and record it when it ends well; yields None when it was done before.

    What an earlier attempt left unfinished may be kept: where anything that decides it has changed since,
    `discard` is called first. It gets one thread for each numerical library; whatever runs a large model
    takes more for as long.
    """
    inputs, key = inputs_of(name, directory), StageKeys(directory).of(name)
    why = directory.ledger.pending(name, inputs, key)
    if why is None:
        yield None
        return
    if why:
        _logger.warning("%s: %s; %s is done again", directory.place, why, name)
    changed = directory.ledger.begun(name, inputs=inputs, key=key)
    if changed and not why:
        _logger.warning("%s: %s; what was begun of %s is done again", directory.place, changed, name)
    if changed != "":
        discard()  # before it is recorded that the stage is at work on what is new
    directory.ledger.begin(name, inputs=inputs, key=key)
    at_work = Stage(name, progress)
    progress(name, 0, 1)
    started = time.perf_counter()
    with one_thread_each():
        yield at_work
    # The highest resident memory of the process so far, in kilobytes on Linux.
    peak_memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    directory.ledger.finish(
        name,
        inputs=inputs,
        key=key,
        outputs=at_work.outputs,
        seconds=time.perf_counter() - started,
        peak_memory_mb=peak_memory_mb,
    )
    progress(name, 1, 1)
