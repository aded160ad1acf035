"""Units on Ray: on a cluster that runs already, or on one that is started here and ended with the engine.

Every node must see the files that units name, under the same paths, and have the same version of this
package. Ray gives a unit whose worker was killed to another one. Units that need a model go to actors, each
of which holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from if_circuits.engine.base import Engine, Result, Unit
from if_circuits.engine.held import Held, OnHeld, Source
from if_circuits.engine.ray_units import MOST_DEATHS, Holder, of_version, result_of
from if_circuits.errors import InputError
from if_circuits.version import __version__


@dataclass(frozen=True)
class OnRay(Engine):
    """Units on a Ray cluster, several at a time, each with one core and one thread."""

    ray: Any
    workers: int
    _holders: dict[Source[Any], list[Any]] = field(default_factory=dict[Source[Any], list[Any]])
    """The actors that are there, by what they hold: of one thing at a time."""

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
        self._let_go()  # they have the cores
        remote = self.ray.remote(num_cpus=1, max_retries=MOST_DEATHS)(of_version)

        def begin(unit: Unit) -> Any:
            return remote.remote(function, unit, __version__)

        def stop(references: Sequence[Any]) -> None:
            for reference in references:
                self.ray.cancel(reference, force=True)

        # Twice as many as there are workers: none waits for its next unit.
        yield from self._completed([begin] * (2 * self.workers), units, stop)

    def completed_held(
        self, function: OnHeld[Held, Unit, Result], units: Sequence[Unit], source: Source[Held]
    ) -> Generator[tuple[int, Result]]:
        def beginning(holder: Any) -> Callable[[Unit], Any]:
            return lambda unit: holder.carry_out.remote(function, unit, __version__)

        def stop(references: Sequence[Any]) -> None:
            del references  # Ray ends what an actor has begun only by ending the actor
            self._let_go()

        holders = self._holding(source, len(units)) if units else []
        yield from self._completed([beginning(holder) for holder in holders], units, stop)

    def _holding(self, source: Source[Any], n_units: int) -> list[Any]:
        """As many actors that hold it as can be at work; they stay until something else is to be done.

        Raises InputError where the cluster lacks the GPUs for one.
        """
        if source not in self._holders:
            self._let_go()
        there = self._holders.setdefault(source, [])
        wanted = min(self.workers, n_units)
        if source.n_gpus:
            gpus = int(self.ray.cluster_resources().get("GPU", 0))
            if gpus < source.n_gpus:
                raise InputError(
                    f"a model on {source.n_gpus} GPU(s) was asked for, and the Ray cluster has {gpus}"
                )
            wanted = min(wanted, gpus // source.n_gpus)
        actor = self.ray.remote(
            num_cpus=1, num_gpus=source.n_gpus, max_restarts=-1, max_task_retries=MOST_DEATHS
        )(Holder)
        there += [actor.remote(source) for _ in range(wanted - len(there))]
        return there

    def _let_go(self) -> None:
        for holder in (each for several in self._holders.values() for each in several):
            self.ray.kill(holder)
        self._holders.clear()

    def _completed(
        self,
        free: list[Callable[[Unit], Any]],
        units: Sequence[Unit],
        stop: Callable[[Sequence[Any]], None],
    ) -> Generator[tuple[int, Any]]:
        """Results as they come. Each of `free` begins a unit and gives its reference; when that is done it
        can take another one. `stop` ends what is at work when nobody waits for it any more.
        """
        waiting = list(enumerate(units))[::-1]
        at_work: dict[Any, tuple[int, Unit, Callable[[Unit], Any]]] = {}
        try:
            while waiting or at_work:
                while waiting and free:
                    (place, unit), begin = waiting.pop(), free.pop()
                    at_work[begin(unit)] = (place, unit, begin)
                done, _ = self.ray.wait(list(at_work), num_returns=1)
                place, unit, begin = at_work.pop(done[0])
                free.append(begin)
                yield place, result_of(self.ray, done[0], unit)
        finally:
            if at_work:
                stop(list(at_work))

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self._holders.clear()
        self.ray.shutdown()
