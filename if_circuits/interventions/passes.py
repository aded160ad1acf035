"""What a forward pass reads: the absolute position of each token, whoever runs the model.

During cached decoding a hook sees one token a row, so positions cannot be counted from the tensor. They
follow from the attention mask, which covers the cache as well, or without a mask from the length of the
cache.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from if_circuits.errors import InputError
from if_circuits.interventions.scope import PADDING, Window


class PassReader:
    """Reads the arguments of each pass through the model, and keeps which row of the batch is under which
    condition.
    """

    def __init__(self) -> None:
        self._window: Window | None = None
        self._lengths: Int[Tensor, " batch"] | None = None
        self._assigned = False
        self._rows: dict[int, Int[Tensor, " rows"]] | None = None

    @property
    def window(self) -> Window:
        """The tokens of the pass that is running."""
        if self._window is None:
            raise RuntimeError(
                "no pass through the model has begun: run the bridge or its Hugging Face model"
            )
        return self._window

    def assign(self, conditions: Int[Tensor, " batch"] | None, prompt_lengths: Int[Tensor, " batch"]) -> None:
        """State the rows of the coming batches: the condition of each (None: all have 0) and its prompt's
        tokens.
        """
        self._lengths, self._assigned = prompt_lengths, True
        if conditions is None:
            self._rows = None
        else:
            self._rows = {int(c): (conditions == c).nonzero().flatten() for c in conditions.unique()}

    def rows(self, condition: int) -> Int[Tensor, " rows"] | None:
        """The rows of the batch that are under a condition; None for all of them."""
        if self._rows is None:
            return None if condition == 0 else torch.empty(0, dtype=torch.long)
        return self._rows.get(condition, torch.empty(0, dtype=torch.long))

    def read(self, _module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Forward pre-hook of the Hugging Face model."""
        tokens = next(
            t for t in (kwargs.get("input_ids"), kwargs.get("inputs_embeds"), *args) if isinstance(t, Tensor)
        )
        batch, length = tokens.shape[:2]
        cache = kwargs.get("past_key_values")
        cached = 0 if cache is None else int(cache.get_seq_length())
        positions, n_tokens = _positions(kwargs.get("attention_mask"), tokens, cached)
        if cached == 0 and not self._assigned:
            self._lengths = n_tokens
        if self._lengths is None or len(self._lengths) != batch:
            known = "none" if self._lengths is None else str(len(self._lengths))
            raise InputError(
                f"a pass of {batch} rows on top of a cache, but the prompts of {known} rows are known: "
                "begin with the prompt inside the context, and keep its rows"
            )
        self._window = Window(positions[:, -length:], self._lengths)


def _positions(
    mask: Tensor | None, tokens: Tensor, cached: int
) -> tuple[Int[Tensor, "batch total"], Int[Tensor, " batch"]]:
    """Positions of all tokens so far, PADDING where masked, and their number in each row."""
    total = cached + tokens.shape[1]
    if mask is None:
        mask = torch.ones(tokens.shape[0], total, dtype=torch.long, device=tokens.device)
    if mask.ndim != 2 or mask.shape[1] != total:
        raise InputError(
            f"interventions need an attention mask of shape [batch, {total}], for the cache's tokens and the "
            f"new ones, got {list(mask.shape)}"
        )
    real = mask != 0
    return (real.cumsum(1) - 1).masked_fill(~real, PADDING), real.sum(1)
