"""How many responses are written side by side where nobody says: as many as the preset says, or fewer where
they would not fit into the free memory.

What a row takes is reckoned from the model's configuration, so that nothing is run for it. It is a bound for
models that attend to all tokens with keys and values of one width: sliding windows take less.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from if_circuits.models.memory import free_memory, pass_bytes, rows_that_fit
from if_circuits.models.presets import ITEMSIZE

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel

_logger = logging.getLogger(__name__)

_SPARE = 32
"""Columns that a batch holds free (`generation.batch`)."""
_LOGIT_BYTES = 16
"""A logit, its probability in float32, and the running sum in float64 (`generation.nucleus`)."""
_LOOKED_AT = 32
"""Of the prompts with the most characters, so many are encoded to find the longest."""


@dataclass(frozen=True)
class RowBytes:
    """What one response takes while it is written, beside the weights."""

    cache: int
    """Its keys and values, at full length."""
    work: int
    """While its prompt is read, and its next token drawn."""

    @property
    def total(self) -> int:
        return self.cache + self.work


def row_bytes(model: LoadedModel, *, prompt: int, new: int) -> RowBytes:
    """The bytes of a response of `new` tokens to a prompt of `prompt` tokens."""
    cfg: Any = model.bridge.cfg
    width = int(getattr(cfg, "n_key_value_heads", None) or cfg.n_heads) * int(cfg.d_head)
    vocabulary = int(model.hf.config.get_text_config().vocab_size)
    return RowBytes(
        cache=(prompt + new + _SPARE) * 2 * model.n_layers * width * ITEMSIZE[model.dtype],
        work=pass_bytes(model, prompt) + vocabulary * _LOGIT_BYTES,
    )


def longest_prompt(model: LoadedModel, texts: Iterable[str]) -> int:
    """Tokens of the longest prompt with its chat template, found among those with the most characters."""
    looked_at = sorted(set(texts), key=len)[-_LOOKED_AT:]
    return max(map(len, model.chat.encode(looked_at))) if looked_at else 1


def usual_batch_size(model: LoadedModel, *, prompt: int, new: int) -> int:
    """How many responses of that length are written side by side; a warning says where memory decides it."""
    usual, row = model.preset.batch_size, row_bytes(model, prompt=prompt, new=new).total
    free = free_memory(model.device)
    size = rows_that_fit(free, row, most=usual)
    if free is not None and size < usual:
        _logger.warning(
            "%s: batches of %d, since %d rows of up to %d tokens take %.2f GiB and %.2f are free",
            *(model.name, size, usual, prompt + new, usual * row / 2**30, free / 2**30),
        )
    return size
