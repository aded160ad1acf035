"""How many threads the numerical libraries use.

Threads of one BLAS or torch call wait for each other by spinning. As soon as anything else runs on the cores
they starve: with 2 cores and 4 processes, two threads took 23 times the wall time of one to generate from
if-tiny (63 against 2.7 seconds), and 6 to 9 times to probe its activations. So whatever computes for long in
this library limits them itself, whoever calls it, and restores them at the end.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

LARGE_D_MODEL = 512
"""From this width on, a model's own matrices are worth several threads."""

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")

_limited: ContextVar[bool] = ContextVar("limited", default=False)
"""Whether the caller is inside of `one_thread_each`: finding the libraries takes milliseconds."""


@contextmanager
def one_thread_each() -> Generator[None]:
    """One thread for every numerical library that is loaded; the old numbers return at the end."""
    if _limited.get():
        yield
        return
    token = _limited.set(True)
    try:
        with _libraries(len(sys.modules)).limit(limits=1), _torch_limit():
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


def threads_for(d_model: int) -> AbstractContextManager[None]:
    """The threads to run a model with: one for a small model, whatever is configured for a large one."""
    return one_thread_each() if d_model < LARGE_D_MODEL else nullcontext()


@lru_cache(maxsize=1)
def _libraries(n_modules: int) -> ThreadpoolController:
    """The numerical libraries that are loaded: sought again once more modules have been imported."""
    from threadpoolctl import ThreadpoolController

    del n_modules
    return ThreadpoolController()


@contextmanager
def _torch_limit() -> Generator[None]:
    """Torch's own pool, which not every build of it shares with the libraries that threadpoolctl finds."""
    torch = sys.modules.get("torch")
    before = 1 if torch is None else torch.get_num_threads()
    if torch is None or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
