"""Prompts that are read once, and gone on with many times: beginnings of runs with their keys and values.

What an intervention on later tokens leaves untouched need not be read again under each of them.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from if_circuits.errors import InputError
from if_circuits.generation.cache import laid_out, make_cache
from if_circuits.models.padding import pad

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel


class Stems:
    """Beginnings that were read, padded on the left so that what follows begins in one column.

    One that another begins with is not read by itself. Raises InputError for an empty one.
    """

    def __init__(self, model: LoadedModel, stems: Sequence[Sequence[int]], *, room: int) -> None:
        """`room` is how many tokens may follow."""
        if not all(len(stem) for stem in stems):
            raise InputError("log-odds and DAS need prompts of two tokens or more; here is one of fewer")
        self._hf: Any = model.hf
        self._takes_positions = "position_ids" in inspect.signature(self._hf.forward).parameters
        # The logits behind a stem are asked for in `go_on`; all but one of them would be thrown away here.
        self._keeps_one = "logits_to_keep" in inspect.signature(self._hf.forward).parameters
        # Where a window counts tokens, those that are masked below would count too.
        shares = self._takes_positions and laid_out(make_cache(model.hf.config, 1))
        distinct, host = _hosts(stems) if shares else (stems, list(range(len(stems))))
        ids, self._mask = (part.to(model.device) for part in pad(distinct, model.chat.pad_id, side="left"))
        self._cache: Any = make_cache(model.hf.config, ids.shape[1] + room)
        with torch.no_grad():
            self._run(ids, self._mask, self._cache, last=True)
        if host != list(range(len(stems))):
            shorter = [len(distinct[at]) - len(stem) for at, stem in zip(host, stems, strict=True)]
            rows, by = (torch.tensor(each, device=model.device) for each in (host, shorter))
            for layer in self._cache.layers:
                layer.take(rows, by)
            ends = self._mask[rows].sum(1, keepdim=True) - by[:, None]
            column = torch.arange(ids.shape[1], device=model.device)
            self._mask = (column >= ids.shape[1] - ends).to(self._mask.dtype)

    def go_on(
        self,
        ids: Int[Tensor, "batch new"],
        mask: Int[Tensor, "batch new"],
        *,
        rows: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch new vocabulary"]:
        """The logits behind each token of what follows the stems, or some of them; the stems stay as read.

        Gradients are those of the context that calls.
        """
        before = self._mask
        if rows is None:
            cache = copy.deepcopy(self._cache)
        else:  # what is selected is a copy already
            cache, rows = copy.copy(self._cache), rows.to(before.device)
            cache.layers = [copy.copy(layer) for layer in cache.layers]
            cache.batch_select_indices(rows)
            before = before[rows]
        return self._run(ids, torch.cat([before, mask], dim=1), cache)

    def _run(
        self,
        ids: Int[Tensor, "batch new"],
        mask: Int[Tensor, "batch total"],
        cache: Any,
        *,
        last: bool = False,
    ) -> Float[Tensor, "batch new vocabulary"]:
        places = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        positions = {"position_ids": places} if self._takes_positions else {}
        given = {"input_ids": ids, "attention_mask": mask, "past_key_values": cache, "use_cache": True}
        kept = {"logits_to_keep": 1} if last and self._keeps_one else {}
        return self._hf(**given, **positions, **kept).logits


def _hosts(stems: Sequence[Sequence[int]]) -> tuple[list[Sequence[int]], list[int]]:
    """The stems that no other begins with, each once, and for every stem which of them begins with it."""
    order = sorted(range(len(stems)), key=lambda i: tuple(stems[i]), reverse=True)
    distinct: list[Sequence[int]] = []
    host = [0] * len(stems)
    for i in order:  # what a stem begins comes just before it
        if not (distinct and list(distinct[-1][: len(stems[i])]) == list(stems[i])):
            distinct.append(stems[i])
        host[i] = len(distinct) - 1
    return distinct, host
