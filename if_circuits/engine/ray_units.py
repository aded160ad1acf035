"""What a worker of Ray does with a unit, and how its result or its error comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from if_circuits.engine.base import carried_out
from if_circuits.engine.held import OnHeld, Source, WithHeld
from if_circuits.errors import InputError
from if_circuits.version import __version__

MOST_DEATHS = 3
"""Workers that one unit may cost before it is given up."""

Unit = TypeVar("Unit")
Result = TypeVar("Result")


def of_version(function: Callable[[Unit], Result], unit: Unit, version: str) -> Result:
    """What a worker does. Raises InputError where its node has another version of this package."""
    if version != __version__:
        raise InputError(
            f"a node has if-circuits {__version__}, and this study is run by {version}; install the same one"
        )
    return carried_out(function, unit)


class Holder:
    """An actor: it holds what a source names, for all units that are given to it."""

    def __init__(self, source: Source[Any]) -> None:
        self._source = source

    def carry_out(self, function: OnHeld[Any, Any, Any], unit: object, version: str) -> object:
        """The result of a unit."""
        return of_version(WithHeld(function, self._source), unit, version)


def result_of(ray: Any, reference: Any, unit: object) -> Any:
    """The result behind a reference; raises what was raised at work on the unit.

    Raises InputError where workers were killed in a row, or Ray itself has ended.
    """
    errors = ray.exceptions
    try:
        return ray.get(reference)
    except errors.RayTaskError as error:
        raise error.cause from error
    except (
        errors.WorkerCrashedError,
        errors.OutOfMemoryError,
        errors.NodeDiedError,
        errors.RayActorError,
    ) as error:
        raise InputError(
            f"{MOST_DEATHS + 1} workers in a row were killed at work on {unit}: often for want of "
            "memory, so try fewer workers"
        ) from error
    except errors.LocalRayletDiedError as error:
        raise InputError(
            f"Ray itself has ended on this machine, at work on {unit}; the same command goes on where this "
            "one was"
        ) from error
