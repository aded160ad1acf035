"""What a forward pass reads: the absolute position of each token, whoever runs the model.

During cached decoding a hook sees one token a row, so positions cannot be counted from the tensor. They
follow from the attention mask, which covers the cache as well, or without a mask from the length of the
cache.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from if_circuits.errors import InputError
from if_circuits.interventions.scope import PADDING, Window


class PassReader:
    """Reads the arguments of each pass through the model, and knows each row's condition and prompt.

    `prompt_lengths` are the tokens of each row's prompt. Without them a pass on an empty cache is the prompt,
    and all that is read on top of it is the response.
    """

    def __init__(self, prompt_lengths: Int[Tensor, " batch"] | None = None) -> None:
        self._prompt_lengths = prompt_lengths
        self._prompt_columns: int | None = None
        self._window: Window | None = None
        self._conditions: Int[Tensor, " batch"] | None = None
        self._prompts: Int[Tensor, " batch"] | None = None

    @property
    def window(self) -> Window:
        """The tokens of the pass that is running."""
        if self._window is None:
            raise RuntimeError(
                "no pass through the model has begun: run the bridge or its Hugging Face model"
            )
        return self._window

    def assign(
        self,
        *,
        prompts: Int[Tensor, " batch"],
        lengths: Int[Tensor, " batch"],
        conditions: Int[Tensor, " batch"] | None = None,
    ) -> None:
        """State each row's prompt, its length in tokens, and its condition: before the first pass and
        whenever the batch changes. A prompt may then be read in several passes.

        Until then row i continues prompt i. Without conditions all rows are under the first.
        """
        self._prompts, self._prompt_lengths = prompts, lengths
        self._conditions = conditions

    @property
    def conditions(self) -> Int[Tensor, " batch"] | None:
        """The condition of each row of the batch, by number; None where all are under the first."""
        return self._conditions

    def read(self, _module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Forward pre-hook of the Hugging Face model."""
        given = (kwargs.get("input_ids"), kwargs.get("inputs_embeds"), *args)
        tokens = next(value for value in given if isinstance(value, Tensor))
        cache = kwargs.get("past_key_values")
        cached = 0 if cache is None else int(cache.get_seq_length())
        if cached == 0:
            self._prompt_columns = tokens.shape[1]
        real = _real_tokens(kwargs.get("attention_mask"), tokens, cached)
        positions = (real.cumsum(1) - 1).masked_fill(~real, PADDING)
        prompts = torch.arange(len(real), device=real.device) if self._prompts is None else self._prompts
        self._window = Window(positions[:, cached:], self._lengths(real), prompts)

    def _lengths(self, real: Bool[Tensor, "batch total"]) -> Int[Tensor, " batch"]:
        if self._prompt_lengths is None:
            if self._prompt_columns is None:
                raise InputError(
                    "the cache holds tokens that were read before: begin with the prompt in the context"
                )
            return real[:, : self._prompt_columns].sum(1)
        if len(self._prompt_lengths) != len(real):
            raise InputError(
                f"prompt_lengths has {len(self._prompt_lengths)} rows, the batch has {len(real)}"
            )
        return self._prompt_lengths


def _real_tokens(mask: Tensor | None, tokens: Tensor, cached: int) -> Bool[Tensor, "batch total"]:
    """Which of all tokens so far are no padding."""
    total = cached + tokens.shape[1]
    if mask is None:
        return torch.ones(tokens.shape[0], total, dtype=torch.bool, device=tokens.device)
    if mask.ndim != 2 or mask.shape[1] != total:
        raise InputError(
            f"interventions need an attention mask of shape [batch, {total}], for the cache's tokens and the "
            f"new ones, got {list(mask.shape)}"
        )
    return mask != 0
