"""Units on Ray: on a cluster that runs already, or on one that is started here and ended with the engine.

Every node must see the files that units name, under the same paths, and have the same version of this
package. Ray gives a unit whose worker was killed to another one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from if_circuits.engine.base import Engine, Result, Unit, carried_out
from if_circuits.errors import InputError
from if_circuits.version import __version__

MOST_DEATHS = 3
"""Workers that one unit may cost before it is given up."""


@dataclass(frozen=True)
class OnRay(Engine):
    """Units on a Ray cluster, several at a time, each with one core and one thread."""

    ray: Any
    workers: int

    @classmethod
    def started(cls, workers: int, *, address: str | None = None) -> OnRay:
        """Join the cluster at `address`, or start one of so many workers on this machine.

        Raises InputError where Ray is not installed, and where the cluster cannot be reached.
        """
        try:
            ray = import_module("ray")
        except ImportError as error:
            raise InputError(
                "the engine ray needs Ray, which is not installed: pip install 'if-circuits[ray]'"
            ) from error
        started_here = {"num_cpus": workers, "include_dashboard": False} if address is None else {}
        try:
            ray.init(address=address, log_to_driver=False, logging_level="error", **started_here)
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = "on this machine" if address is None else f"at {address}"
            raise InputError(f"there is no Ray cluster {where}: {error}") from error
        return cls(ray, workers)

    def completed(
        self, function: Callable[[Unit], Result], units: Sequence[Unit]
    ) -> Generator[tuple[int, Result]]:
        ray = self.ray
        remote = ray.remote(num_cpus=1, max_retries=MOST_DEATHS)(of_version)
        waiting = list(enumerate(units))[::-1]
        at_work: dict[Any, tuple[int, Unit]] = {}
        try:
            while waiting or at_work:
                while waiting and len(at_work) < 2 * self.workers:
                    place, unit = waiting.pop()
                    at_work[remote.remote(function, unit, __version__)] = (place, unit)
                done, _ = ray.wait(list(at_work), num_returns=1)
                place, unit = at_work.pop(done[0])
                yield place, self._result(done[0], unit)
        finally:
            for reference in at_work:
                ray.cancel(reference, force=True)

    def _result(self, reference: Any, unit: object) -> Any:
        errors = self.ray.exceptions
        try:
            return self.ray.get(reference)
        except errors.RayTaskError as error:
            raise error.cause from error
        except (errors.WorkerCrashedError, errors.OutOfMemoryError, errors.NodeDiedError) as error:
            raise InputError(
                f"{MOST_DEATHS + 1} workers in a row were killed at work on {unit}: often for want of "
                "memory, so try fewer workers"
            ) from error
        except errors.LocalRayletDiedError as error:
            raise InputError(
                "Ray itself has ended on this machine, at work on "
                f"{unit}; the same command goes on where this one was"
            ) from error

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self.ray.shutdown()


def of_version(function: Callable[[Unit], Result], unit: Unit, version: str) -> Result:
    """What a worker does. Raises InputError where its node has another version of this package."""
    if version != __version__:
        raise InputError(
            f"a node has if-circuits {__version__}, and this study is run by {version}; install the same one"
        )
    return carried_out(function, unit)
