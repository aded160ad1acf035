"""Work in batches that shrink when memory runs out."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

import torch

from if_circuits.errors import InputError

_logger = logging.getLogger(__name__)

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_batches(
    items: Sequence[_Item], batch_size: int, work: Callable[[Sequence[_Item]], _Result], *, what: str
) -> Generator[tuple[Sequence[_Item], _Result]]:
    """Each batch in order with what `work` made of it.

    When memory runs out the batch is halved, from then on, with a warning that says so, and tried again.
    Raises InputError when a single item does not fit; `what` names the work for both messages.
    """
    start, size = 0, batch_size
    while start < len(items):
        batch = items[start : start + size]
        try:
            result = work(batch)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if len(batch) == 1:
                raise InputError(
                    f"{what}: there is not enough memory for even one item at a time "
                    f"({str(error).splitlines()[0] if str(error) else 'out of memory'}); use a smaller model "
                    "or dtype, shorter responses, or a machine with more memory"
                ) from error
            size = len(batch) // 2
        else:
            yield batch, result
            start += len(batch)
            continue
        # Outside the handler, where the traceback no longer holds the tensors of the failed attempt.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        _logger.warning("%s: out of memory, going on with batches of %d", what, size)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on any device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # The CPU allocator raises a plain RuntimeError.
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in ("can't allocate memory", "not enough memory", "out of memory")
    )
