"""The engine that needs nothing: one unit after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from if_circuits.engine.base import Engine, Result, Unit, carried_out
from if_circuits.engine.held import Held, OnHeld, Source
from if_circuits.progress import Report, Shares

_UNIT = 1000
"""Steps in which the progress of a unit is told, where nobody says how long it is."""


@dataclass(frozen=True)
class InProcess(Engine):
    """One unit after the other, in this process."""

    def completed(
        self, function: Callable[[Unit], Result], units: Sequence[Unit]
    ) -> Generator[tuple[int, Result]]:
        for place, unit in enumerate(units):
            yield place, carried_out(function, unit)

    def map_held(
        self,
        function: OnHeld[Held, Unit, Result],
        units: Sequence[Unit],
        *,
        source: Source[Held] | None = None,
        here: Held,
        sizes: Sequence[int] | None = None,
        progress: Report | None = None,
    ) -> Generator[Result]:
        del source  # what it names is here
        shares = Shares(progress, sizes or [_UNIT] * len(units))
        for place, unit in enumerate(units):
            within = shares.part(place)
            yield carried_out(lambda one, within=within: function(here, one, within), unit)
            shares.done(place)


IN_PROCESS = InProcess()
"""What is used where no engine is given."""
