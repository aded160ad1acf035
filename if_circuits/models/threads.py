"""How many threads the numerical libraries use.

Threads of one BLAS or torch call wait for each other by spinning. As soon as anything else runs on the cores
they starve: with 2 cores and 4 processes, two threads took 23 times the wall time of one to generate from
if-tiny (63 against 2.7 seconds), and 6 to 9 times to probe its activations.
"""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext

LARGE_D_MODEL = 512
"""From this width on, a model's own matrices are worth several threads."""


@contextmanager
def one_thread_each() -> Generator[None]:
    """One thread for every numerical library that is loaded; the old numbers return at the end."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield


def threads_for(d_model: int) -> AbstractContextManager[None]:
    """The threads to run a model with: one for a small model, whatever is configured for a large one."""
    return one_thread_each() if d_model < LARGE_D_MODEL else nullcontext()
