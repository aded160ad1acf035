"""Rows that are being continued, read step by step: their cache, mask and positions.

Columns are tokens. Padding stands on the left, so that all rows end together; what all prompts begin with
stands before it, and is read once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from if_circuits.models.padding import pad

if TYPE_CHECKING:
    from if_circuits.generation.cache import _LaidOutLayer  # pyright: ignore[reportPrivateUsage]
    from if_circuits.models.loading import LoadedModel

OnBatch: TypeAlias = Callable[[Int[Tensor, " batch"]], None]
"""Told which prompt each row of the batch continues, before the first pass and whenever the batch changes."""

_WORTH_SHARING = 16
"""Tokens with which all prompts begin, such as a system prompt, that are worth a pass of their own."""
_ROOM = 32
"""Columns beyond the longest row: when they are full, rows that came later are moved to the left."""


class Batch:
    """Some prompts as a batch, and their continuations.

    Args:
        model: The model that reads.
        prompts: Token ids, one row a prompt.
        prompt_of: Number of the prompt that each row continues.
        room: New tokens of a row at most.
        on_batch: Told `prompt_of` whenever it changes.
        alike: Tokens that all prompts begin with and that are read once for all (`common_start`).
        own: Columns at least for what of a prompt is its own; rows that `join` have no more.
    """

    def __init__(
        self,
        model: LoadedModel,
        prompts: Sequence[Sequence[int]],
        prompt_of: Int[Tensor, " batch"],
        room: int,
        on_batch: OnBatch | None,
        *,
        alike: int = 0,
        own: int = 0,
    ) -> None:
        from if_circuits.generation.cache import laid_out, make_cache

        self._model: Any = model.hf
        accepted = inspect.signature(self._model.forward).parameters
        self._takes_positions = "position_ids" in accepted
        self._options = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}
        self._prompt_of = prompt_of
        self._on_batch = on_batch
        self._own = max(own, max(map(len, prompts)) - alike)
        self._capacity = alike + self._own + room + _ROOM
        self._cache = make_cache(model.hf.config, self._capacity)
        self.can_be_joined = laid_out(self._cache) and self._takes_positions
        """Whether rows may come and go at any time: not where a layer counts the distance between columns."""
        self._alike = alike if self.can_be_joined else 0
        self._ids, self._mask = (
            each.to(prompt_of.device) for each in self._lay_out(prompts, model.chat.pad_id)
        )
        self._next = self._mask.sum(1)
        self._read = 0
        if self._alike:
            self._read_start()
        self._announce()

    def __len__(self) -> int:
        return len(self._prompt_of)

    def read_prompts(self) -> Float[Tensor, "batch vocabulary"]:
        """Run the prompts; gives the logits of the first new token."""
        return self._read_up_to(self._ids.shape[1])

    def read_prompts_from_stems(
        self, copies: Int[Tensor, " selected"], prompt_of: Int[Tensor, " selected"]
    ) -> Float[Tensor, "selected vocabulary"]:
        """Run the prompts up to their last token, go on with copies of them as other prompts, and run that.

        Gives the logits of the first new token of each copy.
        """
        last = self._ids[:, -1]
        self._mask = self._mask[:, :-1]
        self._next = self._mask.sum(1)
        self._read_up_to(self._ids.shape[1] - 1)
        self._go_on_with(copies, prompt_of)
        return self.read(last[copies])

    def read(self, tokens: Int[Tensor, " batch"]) -> Float[Tensor, "batch vocabulary"]:
        """Run one more token of each row; gives the logits of the next."""
        if self.can_be_joined and self._mask.shape[1] == self._capacity:
            self._close_up()
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(tokens), 1)], dim=1)
        positions = self._next[:, None]
        self._next = self._next + 1
        return self._run(tokens[:, None], positions)

    def select(self, rows: Int[Tensor, " selected"]) -> None:
        """Go on with these rows of the batch, which may repeat some and lack others."""
        self._go_on_with(rows, self._prompt_of[rows])

    def retire(self, ended: Bool[Tensor, " batch"]) -> None:
        """Let rows that have ended take no more room, until others take their place."""
        if self.can_be_joined:
            self._mask[:, self._alike :] *= ~ended[:, None]

    def join(self, other: Batch, rows: Int[Tensor, " rows"]) -> None:
        """Give up these rows of the batch for those of another, whose prompts have been read."""
        for mine, theirs in zip(self._layers(), other._layers(), strict=True):
            mine.put(rows, theirs, start=self._alike)
        own = other._mask[:, self._alike :]
        self._prompt_of = self._prompt_of.clone()
        self._mask[rows, self._alike :] = 0
        self._mask[rows, self._mask.shape[1] - own.shape[1] :] = own
        self._next[rows], self._prompt_of[rows] = other._next, other._prompt_of
        self._announce()

    def cache_bytes(self) -> int:
        """Bytes of the keys and values of all that was read."""
        kept = (getattr(layer, name, None) for layer in self._cache.layers for name in ("keys", "values"))
        return sum(part.numel() * part.element_size() for part in kept if isinstance(part, Tensor))

    def _lay_out(
        self, prompts: Sequence[Sequence[int]], pad_id: int
    ) -> tuple[Int[Tensor, "batch columns"], Int[Tensor, "batch columns"]]:
        """Ids and mask: what all have in common, the padding, and what is each prompt's own."""
        alike, n = self._alike, len(prompts)
        ids, mask = pad([prompt[alike:] for prompt in prompts], pad_id, side="left")
        wider = self._own - ids.shape[1] if self.can_be_joined else 0
        start = torch.tensor(prompts[0][:alike], dtype=torch.long).expand(n, alike)
        return (
            torch.cat([start, torch.full((n, wider), pad_id), ids], dim=1),
            torch.cat([torch.ones_like(start), mask.new_zeros(n, wider), mask], dim=1),
        )

    def _layers(self) -> list[_LaidOutLayer]:
        return cast("list[_LaidOutLayer]", self._cache.layers)

    def _go_on_with(self, rows: Int[Tensor, " selected"], prompt_of: Int[Tensor, " selected"]) -> None:
        self._cache.batch_select_indices(rows)
        self._mask, self._next = self._mask[rows], self._next[rows]
        self._prompt_of = prompt_of
        self._announce()

    def _close_up(self) -> None:
        """Make room on the right: no row needs the columns before the first token of its own."""
        own = self._mask[:, self._alike :]
        # The first token of each row; a row that has just ended has none.
        first = own.argmax(1).masked_fill(own.sum(1) == 0, own.shape[1])
        by = min(int(first.min()), own.shape[1] - self._own)
        for layer in self._layers():
            layer.close_up(self._alike, by)
        self._mask = torch.cat([self._mask[:, : self._alike], own[:, by:]], dim=1)

    def _announce(self) -> None:
        if self._on_batch is not None:
            self._on_batch(self._prompt_of)

    def _read_start(self) -> None:
        """Run what all prompts begin with, once for all."""
        if self._on_batch is not None:
            self._on_batch(self._prompt_of[:1])
        n = self._alike
        self._run(self._ids[:1, :n], torch.arange(n, device=self._ids.device)[None], self._mask[:1, :n])
        self._cache.batch_select_indices(torch.zeros_like(self._prompt_of))
        self._read = n

    def _read_up_to(self, end: int) -> Float[Tensor, "batch vocabulary"]:
        """Run the prompts from where they were read to before the column `end`."""
        positions = (self._mask.cumsum(1) - 1).clamp(min=0)
        return self._run(self._ids[:, self._read : end], positions[:, self._read : end])

    def _run(
        self,
        ids: Int[Tensor, "batch length"],
        positions: Int[Tensor, "batch length"],
        mask: Int[Tensor, "batch total"] | None = None,
    ) -> Float[Tensor, "batch vocabulary"]:
        options = {"position_ids": positions} if self._takes_positions else {}
        output = self._model(
            input_ids=ids,
            attention_mask=self._mask if mask is None else mask,
            past_key_values=self._cache,
            use_cache=True,
            **options,
            **self._options,
        )
        return output.logits[:, -1]


def common_start(prompts: Sequence[Sequence[int]]) -> int:
    """Tokens with which all prompts begin, where they are worth a pass of their own, else 0.

    Of each prompt at least the last two tokens are its own.
    """
    shortest = min(map(len, prompts))
    same = (len(set(column)) == 1 for column in zip(*prompts, strict=False))
    alike = min(shortest - 2, len(list(takewhile(bool, same))))
    return alike if alike >= _WORTH_SHARING else 0
