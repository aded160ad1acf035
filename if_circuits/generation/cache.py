"""A key-value cache that is laid out once.

The cache of transformers grows by concatenation: every step copies every layer into fresh memory. For a
small model and a large batch that is most of the time (measured: up to 70 % for 1M parameters and 256
rows), most of it page faults.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache, PretrainedConfig
from transformers.cache_utils import DynamicLayer


def make_cache(config: PretrainedConfig, capacity: int) -> DynamicCache:
    """The cache that the architecture needs, for sequences of up to `capacity` tokens, padding included.

    Layers of full attention are laid out at once; sliding windows and other kinds stay as transformers
    makes them.
    """
    cache = DynamicCache(config=config)
    cache.layers = [
        _LaidOutLayer(capacity) if type(layer) is DynamicLayer else layer for layer in cache.layers
    ]
    return cache


def laid_out(cache: DynamicCache) -> bool:
    """Whether all layers attend to all tokens, so that padding between tokens changes no distance."""
    return bool(cache.layers) and all(type(layer) is _LaidOutLayer for layer in cache.layers)


class _LaidOutLayer(DynamicLayer):
    """Keys and values of one layer: the filled part of buffers [batch, heads, capacity, d_head]."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self._capacity = capacity
        self._buffers: tuple[Tensor, Tensor] | None = None

    def update(
        self,
        key_states: Float[Tensor, "batch heads new d_head"],
        value_states: Float[Tensor, "batch heads new d_head"],
        *_: Any,
        **__: Any,
    ) -> tuple[Float[Tensor, "batch heads filled d_head"], Float[Tensor, "batch heads filled d_head"]]:
        start = self.get_seq_length()
        if self._buffers is None:
            self.dtype, self.device, self.is_initialized = key_states.dtype, key_states.device, True
            self._buffers = (self._room_for(key_states), self._room_for(value_states))
        end = start + key_states.shape[-2]
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, start:end] = states
        return self._show(end)

    def batch_select_indices(self, indices: Int[Tensor, " selected"]) -> None:
        if self._buffers is not None:
            filled = self.get_seq_length()
            self._buffers = (self._buffers[0][indices], self._buffers[1][indices])
            self._show(filled)

    def take(self, rows: Int[Tensor, " taken"], by: Int[Tensor, " taken"]) -> None:
        """Keep these rows, each moved so many tokens to the right, where its last tokens fall off.

        What stands before a row's first token then means nothing, and has to be masked.
        """
        assert self._buffers is not None
        filled = self.get_seq_length()
        places = (torch.arange(filled, device=rows.device) - by[:, None]).clamp(min=0)
        old = self._buffers
        self._buffers = (self._room_for(old[0][rows]), self._room_for(old[1][rows]))
        for mine, theirs in zip(self._buffers, old, strict=True):
            mine[:, :, :filled] = theirs[rows[:, None], :, places].transpose(1, 2)
        self._show(filled)

    def put(self, rows: Int[Tensor, " rows"], other: _LaidOutLayer, *, start: int) -> None:
        """Let these rows go on where those of another layer ended, which they share the first `start` tokens
        with.
        """
        assert self._buffers is not None
        assert other._buffers is not None
        end, read = self.get_seq_length(), other.get_seq_length()
        for mine, theirs in zip(self._buffers, other._buffers, strict=True):
            mine[rows, :, end - (read - start) : end] = theirs[:, :, start:read]

    def close_up(self, start: int, by: int) -> None:
        """Move all that follows `start` so many tokens to the left, over what no row has need of."""
        assert self._buffers is not None
        end = self.get_seq_length()
        for buffer in self._buffers:
            buffer[:, :, start : end - by] = buffer[:, :, start + by : end].clone()
        self._show(end - by)

    def _room_for(self, states: Tensor) -> Tensor:
        batch, heads, _, width = states.shape
        return torch.empty(batch, heads, self._capacity, width, dtype=states.dtype, device=states.device)

    def _show(self, filled: int) -> tuple[Tensor, Tensor]:
        assert self._buffers is not None
        keys, values = (buffer[:, :, :filled] for buffer in self._buffers)
        self.keys, self.values = keys, values
        return keys, values
