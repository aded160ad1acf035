"""Work in batches: of prompts of like length, and shrinking when memory runs out."""

from __future__ import annotations

import gc
import logging
import traceback
from collections.abc import Callable, Generator, Sequence
from types import TracebackType
from typing import TypeVar

import torch

from if_circuits.errors import InputError

_logger = logging.getLogger(__name__)

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_STRETCH, _PADDING = 1.25, 24
"""Prompts are padded to at most so many times the shortest beside them, and so many tokens more."""


class Shrinking:
    """A context around work that can be tried again: running out of memory inside halves `size`.

    A warning says so. Raises InputError when not even one item fits; `what` names the work for both messages.
    """

    def __init__(self, size: int, *, what: str) -> None:
        self.size = size
        """Items side by side."""
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        if error is None or not out_of_memory(error):
            return False
        if self.size == 1:
            raise InputError(
                f"{self._what}: there is not enough memory for even one item at a time "
                f"({str(error).splitlines()[0] if str(error) else 'out of memory'}); use a smaller model "
                "or dtype, shorter responses, or a machine with more memory"
            ) from error
        self.size //= 2
        # Its frames hold the tensors of the failed attempt.
        traceback.clear_frames(error.__traceback__)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        _logger.warning("%s: out of memory, going on with batches of %d", self._what, self.size)
        return True


def in_batches(
    items: Sequence[_Item], batch_size: int, work: Callable[[Sequence[_Item]], _Result], *, what: str
) -> Generator[tuple[Sequence[_Item], _Result]]:
    """Each batch in order with what `work` made of it.

    When memory runs out the batch is halved, from then on, and tried again (`Shrinking`).
    """
    start, shrinking = 0, Shrinking(batch_size, what=what)
    while start < len(items):
        # The last batch may be smaller than the size.
        shrinking.size = min(shrinking.size, len(items) - start)
        batch, found = items[start : start + shrinking.size], list[_Result]()
        with shrinking:
            found.append(work(batch))
        if found:
            yield batch, found[0]
            start += len(batch)


def of_like_length(
    jobs: Sequence[tuple[int, int]], contexts: Sequence[Sequence[int]]
) -> list[list[tuple[int, int]]]:
    """The jobs, which rise in length, in parts whose prompts can be padded to one length at little cost."""
    parts: list[list[tuple[int, int]]] = []
    shortest = 0
    for job in jobs:
        length = len(contexts[job[0]])
        if not parts or length > _STRETCH * shortest + _PADDING:
            parts.append([])
            shortest = length
        parts[-1].append(job)
    return parts


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on any device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # The CPU allocator raises a plain RuntimeError.
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in ("can't allocate memory", "not enough memory", "out of memory")
    )
