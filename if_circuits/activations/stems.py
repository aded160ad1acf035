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
from if_circuits.generation.cache import make_cache
from if_circuits.models.padding import pad

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel


class Stems:
    """Beginnings that were read, padded on the left so that what follows begins in one column.

    Raises InputError for an empty one.
    """

    def __init__(self, model: LoadedModel, stems: Sequence[Sequence[int]], *, room: int) -> None:
        """`room` is how many tokens may follow."""
        if not all(len(stem) for stem in stems):
            raise InputError("log-odds and DAS need prompts of two tokens or more; here is one of fewer")
        self._hf: Any = model.hf
        self._takes_positions = "position_ids" in inspect.signature(self._hf.forward).parameters
        ids, self._mask = (part.to(model.device) for part in pad(stems, model.chat.pad_id, side="left"))
        self._cache: Any = make_cache(model.hf.config, ids.shape[1] + room)
        with torch.no_grad():
            self._run(ids, self._mask, self._cache)

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
        self, ids: Int[Tensor, "batch new"], mask: Int[Tensor, "batch total"], cache: Any
    ) -> Float[Tensor, "batch new vocabulary"]:
        places = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        positions = {"position_ids": places} if self._takes_positions else {}
        given = {"input_ids": ids, "attention_mask": mask, "past_key_values": cache, "use_cache": True}
        return self._hf(**given, **positions).logits
