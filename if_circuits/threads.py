"""How many threads the numerical libraries use.

Threads of one BLAS or torch call wait for each other by spinning. As soon as anything else runs on the cores
they starve: with 2 cores and 4 processes, two threads took 23 times the wall time of one to generate from
if-tiny (63 against 2.7 seconds), and 6 to 9 times to probe its activations. So whatever computes for long in
this library limits them itself, whoever calls it, and restores them at the end.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

LARGE_D_MODEL = 512
"""From this width on, a model's own matrices are worth several threads."""

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class _Configured:
    """The threads that there were before they were limited."""

    libraries: Mapping[str, int]
    """By what `threadpoolctl` calls their API: blas, openmp."""
    torch: int


_limited: ContextVar[_Configured | None] = ContextVar("limited", default=None)
"""What the caller is limited from, inside of `one_thread_each`: finding the libraries takes milliseconds."""


@contextmanager
def one_thread_each() -> Generator[None]:
    """One thread for every numerical library that is loaded; the old numbers return at the end."""
    if _limited.get() is not None:
        yield
        return
    libraries = _libraries(len(sys.modules))
    found: dict[str, int] = {}
    for each in libraries.info():
        found[each["user_api"]] = max(each["num_threads"], found.get(each["user_api"], 1))
    torch = sys.modules.get("torch")
    token = _limited.set(_Configured(found, 1 if torch is None else torch.get_num_threads()))
    try:
        with libraries.limit(limits=1), torch_threads(1):
            yield
    finally:
        _limited.reset(token)


def one_thread(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Run a function with one thread for every numerical library.

    Example:
        >>> import torch
        >>> one_thread(torch.get_num_threads)()
        1
    """

    @wraps(function)
    def limited(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        with one_thread_each():
            return function(*args, **kwargs)

    return limited


@contextmanager
def threads_for(d_model: int) -> Generator[None]:
    """The threads to run a model with: one for a small model, whatever is configured for a large one.

    A large model has them inside of `one_thread_each` too.
    """
    configured = _limited.get()
    if d_model < LARGE_D_MODEL:
        with one_thread_each():
            yield
    elif configured is None:
        yield
    else:
        token = _limited.set(None)
        try:
            libraries = _libraries(len(sys.modules))
            with libraries.limit(limits=dict(configured.libraries)), torch_threads(configured.torch):
                yield
        finally:
            _limited.reset(token)


@lru_cache(maxsize=1)
def _libraries(n_modules: int) -> ThreadpoolController:
    """The numerical libraries that are loaded: sought again once more modules have been imported."""
    from threadpoolctl import ThreadpoolController

    del n_modules
    return ThreadpoolController()


@contextmanager
def torch_threads(n: int) -> Generator[None]:
    """Torch's own pool, which not every build of it shares with the libraries that threadpoolctl finds."""
    torch = sys.modules.get("torch")
    before = n if torch is None else torch.get_num_threads()
    if torch is None or before == n:
        yield
        return
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
