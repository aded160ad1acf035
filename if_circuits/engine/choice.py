"""An engine by name."""

from __future__ import annotations

from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import InProcess
from if_circuits.errors import InputError

ENGINES = ("local", "ray")


def open_engine(name: str = "local", *, workers: int = 1, address: str | None = None) -> Engine:
    """The engine of that name, with so many units at a time; close it, or use it as a context manager.

    Args:
        name: `local` is this machine; `ray` a Ray cluster, or one that is started here.
        workers: Units at a time. One, locally, needs no other process.
        address: Of a running Ray cluster.

    Raises:
        InputError: For another name, for fewer than one worker, for an address without Ray, and where Ray or
            the cluster cannot be had.

    Example:
        >>> with open_engine(workers=1) as engine:
        ...     list(engine.map(abs, [-1, 2]))
        [1, 2]
    """
    if name not in ENGINES:
        raise InputError(f"unknown engine {name!r}; expected one of {', '.join(ENGINES)}")
    if workers < 1:
        raise InputError(f"workers must be positive, got {workers}")
    if name == "ray":
        from if_circuits.engine.on_ray import OnRay

        return OnRay.started(workers, address=address)
    if address is not None:
        raise InputError(f"{address} is the address of a Ray cluster, and the engine is local; choose ray")
    if workers == 1:
        return InProcess()
    from if_circuits.engine.processes import Processes

    return Processes(workers)
