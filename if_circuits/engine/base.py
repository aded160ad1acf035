"""What an engine is: a function and units go in, results come out in the units' order.

A unit is data, such as a frozen dataclass: it says which file is read, and does not hold what is in it. A
function is one of a module's own, gives data, and follows from its unit alone. So neither the engine nor the
number of its workers can change a result, and a unit that was lost with its worker is simply done again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from types import TracebackType
from typing import Self, TypeVar

from if_circuits.engine.held import Held, OnHeld, Source, WithHeld
from if_circuits.progress import Report, Shares
from if_circuits.threads import one_thread_each

Unit = TypeVar("Unit")
Result = TypeVar("Result")


class Engine(ABC):
    """Carries out units. As a context manager it leaves no process behind."""

    @abstractmethod
    def completed(
        self, function: Callable[[Unit], Result], units: Sequence[Unit]
    ) -> Generator[tuple[int, Result]]:
        """The place of each unit and its result, as they are done.

        What `function` raises is raised here, with a note that names the unit; closing the generator stops
        what is at work.
        """

    def map(
        self,
        function: Callable[[Unit], Result],
        units: Sequence[Unit],
        *,
        progress: Report | None = None,
    ) -> Generator[Result]:
        """The results in the order of the units; `progress` counts the units that are done.

        Nothing is begun before the first result is asked for.

        Example:
            >>> from if_circuits.engine.in_process import InProcess
            >>> list(InProcess().map(len, ["a", "few", "words"]))
            [1, 3, 5]
        """
        return in_order(self.completed(function, units), [1] * len(units), progress=progress)

    def map_held(
        self,
        function: OnHeld[Held, Unit, Result],
        units: Sequence[Unit],
        *,
        source: Source[Held],
        here: Held,
        sizes: Sequence[int] | None = None,
        progress: Report | None = None,
    ) -> Generator[Result]:
        """`map` of a function that needs something large besides each unit, such as a model.

        Args:
            function: Given what is held, the unit, and what tells how much of the unit is done, or None.
            units: As of `map`.
            source: What a worker loads, once.
            here: The same thing, where this process has it; an engine without workers takes it.
            sizes: How much work each unit is, in which progress is told; by default they are alike.
            progress: As of `map`.

        Returns:
            The results in the order of the units.
        """
        del here
        completed = self.completed_held(function, units, source)
        return in_order(completed, sizes or [1] * len(units), progress=progress)

    def completed_held(
        self, function: OnHeld[Held, Unit, Result], units: Sequence[Unit], source: Source[Held]
    ) -> Generator[tuple[int, Result]]:
        """`completed`, by workers that hold what the source names."""
        return self.completed(WithHeld(function, source), units)

    def close(self) -> None:
        """Stop the workers."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def in_order(
    completed: Generator[tuple[int, Result]], sizes: Sequence[int], *, progress: Report | None = None
) -> Generator[Result]:
    """Results, each with the place of its unit, in the order of the units, whose sizes `progress` adds up."""
    shares, early, due = Shares(progress, sizes), dict[int, Result](), 0
    with closing(completed):
        for place, result in completed:
            shares.done(place)
            early[place] = result
            while due in early:
                yield early.pop(due)
                due += 1


def carried_out(function: Callable[[Unit], Result], unit: Unit) -> Result:
    """What `function` makes of a unit, with one thread for each numerical library; a wide model has more."""
    try:
        with one_thread_each():
            return function(unit)
    except Exception as error:
        error.add_note(f"at work on {unit}")
        raise
