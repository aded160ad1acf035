"""What units need besides themselves and is too large to travel with them, such as a model's weights.

It is named by a source, which is data. A worker loads it when it meets the first unit that needs it, and
holds it for the units that follow, until it meets another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from if_circuits.progress import Report

Held = TypeVar("Held")
Held_co = TypeVar("Held_co", covariant=True)
Unit = TypeVar("Unit")
Result = TypeVar("Result")

OnHeld: TypeAlias = Callable[[Held, Unit, Report | None], Result]
"""What is done with what is held and a unit; it may tell how much of the unit is done."""


class Source(Protocol[Held_co]):
    """Says what is to be held. A frozen dataclass: equal sources are the same thing."""

    @property
    def n_gpus(self) -> int:
        """GPUs that it fills; 0 for the processor."""
        ...

    def load(self) -> Held_co:
        """Load it, in a worker. Raises InputError where it cannot be had there, or is another one."""
        ...


@dataclass(frozen=True)
class WithHeld(Generic[Held, Unit, Result]):
    """A function of units alone, for a worker that holds what `source` names."""

    function: OnHeld[Held, Unit, Result]
    source: Source[Held]

    def __call__(self, unit: Unit) -> Result:
        hold = _held_on_gpus if self.source.n_gpus else _held
        return self.function(hold(self.source), unit, None)


def let_go() -> None:
    """Hold nothing any more that takes memory from other work of this process. What is on GPUs stays."""
    _held.cache_clear()


@lru_cache(maxsize=1)
def _held(source: Source[Any]) -> Any:
    """Of one process; what was held before is let go."""
    return source.load()


@lru_cache(maxsize=1)
def _held_on_gpus(source: Source[Any]) -> Any:
    """The same of what lies there."""
    return source.load()
