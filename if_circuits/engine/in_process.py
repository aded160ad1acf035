"""The engine that needs nothing: one unit after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from if_circuits.engine.base import Engine, Result, Unit, carried_out


@dataclass(frozen=True)
class InProcess(Engine):
    """One unit after the other, in this process."""

    def completed(
        self, function: Callable[[Unit], Result], units: Sequence[Unit]
    ) -> Generator[tuple[int, Result]]:
        for place, unit in enumerate(units):
            yield place, carried_out(function, unit)


IN_PROCESS = InProcess()
"""What is used where no engine is given."""
