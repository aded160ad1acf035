"""What the command line shows while a study runs, and when it is done."""

import logging
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from if_circuits.study import Study

EVERY = 60.0
"""Seconds between two lines about the stage at work, where there is no terminal."""
WIDTH = 120
"""Columns of what is written to a file or a pipe, where no terminal says how many there are."""


def new_console(*, stderr: bool = False) -> Console:
    """A console that keeps its tables whole where there is no terminal."""
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=WIDTH)


class StageDisplay:
    """Shows a bar for the stage at work, on a terminal, and a line for each stage that is done, anywhere.

    Without a terminal, as in a log, the stage at work gets a line a minute: how much is done and what is
    left. What the library logs as a warning is a line of its own. A context manager; called with (stage,
    done, total), it is what `Study.run` takes as `progress`.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = new_console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bars = Progress(
            *columns, console=self._console, transient=True, disable=not self._console.is_terminal
        )
        self._clock = clock
        self._stage: str | None = None
        self._bar = TaskID(0)
        self._started = self._told = 0.0
        self._log = _LogLines(self._console)

    def __enter__(self) -> "StageDisplay":
        logging.getLogger("if_circuits").addHandler(self._log)
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger("if_circuits").removeHandler(self._log)
        if error is None:
            self._close_stage()
        self._bars.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            self._close_stage()
            self._stage, self._started = stage, self._clock()
            self._told = self._started
            self._bar = self._bars.add_task(_readable(stage), total=total)
        self._bars.update(self._bar, completed=done, total=total)
        now = self._clock()
        if now - self._told >= EVERY and not self._console.is_terminal:
            self._told = now
            self._console.print(_so_far(stage, done, total, now - self._started), markup=False)

    def _close_stage(self) -> None:
        if self._stage is None:
            return
        self._bars.remove_task(self._bar)
        seconds = self._clock() - self._started
        self._console.print(f"{_readable(self._stage):<38}{seconds:8.1f} s", markup=False)
        self._stage = None


class _LogLines(logging.Handler):
    """Prints warnings of the library above the bar."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(record.getMessage(), markup=False, soft_wrap=True)


def _so_far(stage: str, done: int, total: int, seconds: float) -> str:
    """A line for a log: "activations: 40 of 100 (40 %) in 2 min, about 3 min left"."""
    share = done / total if total else 0.0
    left = f"about {_duration(seconds * (1 - share) / share)} left" if share > 0 else "time left unknown"
    return f"{_readable(stage)}: {done} of {total} ({share:.0%}) in {_duration(seconds)}, {left}"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def print_study(study: "Study") -> None:
    """Print the compliance and the verdicts of a study, and last where its report lies."""
    from if_circuits.plotting.numbers import format_number, format_p

    console = new_console()
    compliance = Table("task", "constrained", "unconstrained", "n", "undecided", title="Compliance")
    for row in study.compliance.to_dict("records"):
        shares = (f"{row['constrained']:.2f}", f"{row['unconstrained']:.2f}")
        compliance.add_row(_readable(row["task"]), *shares, str(row["n"]), str(row["undecided"]))
    verdicts = Table("analysis", "verdict", "effect", "interval", "p", "n", title="Verdicts")
    for name, result in study.results.items():
        found = result.verdict
        low, high = found.interval
        interval = escape(f"[{format_number(low)}, {format_number(high)}]")
        cells = (found.verdict, format_number(found.effect), interval, format_p(found.p), str(found.n))
        verdicts.add_row(_readable(name), *cells)
    console.print(compliance)
    console.print(verdicts)
    console.print(f"report: {study.directory.report}", markup=False, soft_wrap=True)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table of plain text."""
    table = Table(*header)
    for row in rows:
        table.add_row(*map(escape, row))
    new_console().print(table)


def _readable(name: str) -> str:
    return name.replace("_", " ").replace(".", ": ")
