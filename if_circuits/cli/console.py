"""What the command line shows while a study runs, and when it is done."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from if_circuits.study import Study

WIDTH = 120
"""Columns of what is written to a file or a pipe, where no terminal says how many there are."""


def new_console(*, stderr: bool = False) -> Console:
    """A console that keeps its tables whole where there is no terminal."""
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=WIDTH)


class StageDisplay:
    """Shows a bar for the stage at work, on a terminal, and a line for each stage that is done, anywhere.

    A context manager; called with (stage, done, total), it is what `Study.run` takes as `progress`.
    """

    def __init__(self) -> None:
        self._console = new_console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bars = Progress(
            *columns, console=self._console, transient=True, disable=not self._console.is_terminal
        )
        self._stage: str | None = None
        self._bar = TaskID(0)
        self._started = 0.0

    def __enter__(self) -> "StageDisplay":
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._close_stage()
        self._bars.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            self._close_stage()
            self._stage, self._started = stage, time.perf_counter()
            self._bar = self._bars.add_task(_readable(stage), total=total)
        self._bars.update(self._bar, completed=done, total=total)

    def _close_stage(self) -> None:
        if self._stage is None:
            return
        self._bars.remove_task(self._bar)
        seconds = time.perf_counter() - self._started
        self._console.print(f"{_readable(self._stage):<38}{seconds:8.1f} s", markup=False)
        self._stage = None


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
