"""The decoding loop: one batch of prompts in, their continuations out.

It runs the Hugging Face model inside the bridge, so that hooks fire, with a key-value cache, left
padding, the mask and explicit positions. What several rows share of their prompts is read once, and rows
that have ended leave the batch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from if_circuits.errors import InputError
from if_circuits.generation.nucleus import nucleus
from if_circuits.models.padding import pad

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel

OnBatch: TypeAlias = Callable[[Int[Tensor, " batch"]], None]
"""Told which prompt each row of the batch continues, before the first pass and whenever the batch changes."""

_ACTIVE_SHARE = 0.75
"""Ended rows are carried along until less than this share of the batch is active: to leave, the cache is
copied.
"""
_WORTH_SHARING = 16
"""Tokens with which all prompts of a batch begin, such as a system prompt, that are worth a pass of their
own.
"""


def decode(
    model: LoadedModel,
    prompts: Sequence[Sequence[int]],
    rows: Sequence[int],
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    top_p: float = 1.0,
    noise: Float[Tensor, "rows max_new_tokens"] | None = None,
    stems: Sequence[int] | None = None,
    start_shared: bool = False,
    on_batch: OnBatch | None = None,
) -> list[list[int]]:
    """Continue `prompts[i]` for each i of `rows`; gives the new tokens of each, with the EOS where it came.

    At temperature 0 the likeliest token is taken; otherwise the one at the quantile `noise`, uniform in
    [0, 1), of the distribution at that temperature, or of its likeliest tokens with `top_p` below 1
    (`nucleus`). So a row follows from its prompt and its noise, and not from its neighbours.

    Prompts with the same number in `stems` are the same text and are read in the same way up to their last
    token: that much of them is read once for all. Such prompts need two tokens. With `start_shared` all
    prompts are read in the same way up to there, and what all of them begin with is read once as well.
    """
    device = torch.device(model.device)
    distinct = list(dict.fromkeys(rows))
    eos = torch.tensor(model.chat.eos_ids, dtype=torch.long, device=device)
    tokens = torch.full((len(rows), max_new_tokens), model.chat.pad_id, device=device)
    row = torch.arange(len(rows), device=device)
    ended = torch.zeros(len(rows), dtype=torch.bool, device=device)

    with torch.no_grad():
        # One prompt of each stem; without stems, each prompt.
        read = distinct if stems is None else list({stems[i]: i for i in distinct}.values())
        numbers = torch.tensor(read, device=device)
        texts = [prompts[i] for i in read]
        batch = Batch(model, texts, numbers, max_new_tokens, on_batch, start_shared=start_shared)
        if stems is not None and len(read) < len(distinct):
            place = {stems[i]: number for number, i in enumerate(read)}
            copies = torch.tensor([place[stems[i]] for i in distinct], device=device)
            logits = batch.read_prompts_from_stems(copies, torch.tensor(distinct, device=device))
            read = distinct
        else:
            logits = batch.read_prompts()
        if len(rows) > len(read):
            place = {prompt: number for number, prompt in enumerate(read)}
            copies = torch.tensor([place[i] for i in rows], device=device)
            batch.select(copies)
            logits = logits[copies]
        for step in range(max_new_tokens):
            if step > 0:
                logits = batch.read(tokens[row, step - 1])
            quantile = None if noise is None else noise[row, step]
            tokens[row, step] = _pick(logits, temperature, top_p, quantile)
            ended = ended | torch.isin(tokens[row, step], eos)
            active = int(ended.numel() - ended.sum())
            if active == 0:
                break
            if active < _ACTIVE_SHARE * len(row):
                keep = (~ended).nonzero().flatten()
                row, ended = row[keep], ended[keep]
                batch.select(keep)
    return [_until_eos(ids, model.chat.eos_ids) for ids in tokens.tolist()]


class Batch:
    """Rows that are being continued, read step by step: their cache, mask and positions."""

    def __init__(
        self,
        model: LoadedModel,
        prompts: Sequence[Sequence[int]],
        prompt_of: Int[Tensor, " batch"],
        max_new_tokens: int,
        on_batch: OnBatch | None,
        *,
        start_shared: bool = False,
    ) -> None:
        from if_circuits.generation.cache import laid_out, make_cache

        self._model: Any = model.hf
        ids, mask = pad(prompts, model.chat.pad_id, side="left")
        self._cache = make_cache(model.hf.config, ids.shape[1] + max_new_tokens)
        self._prompt_of = prompt_of
        self._on_batch = on_batch
        accepted = inspect.signature(self._model.forward).parameters
        self._takes_positions = "position_ids" in accepted
        self._options = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}
        self._read = 0
        alike = _common_start(prompts) if start_shared and self._takes_positions else 0
        if alike >= _WORTH_SHARING and laid_out(self._cache):
            # The padding comes between what all have in common and what is their own.
            rest, own = pad([prompt[alike:] for prompt in prompts], model.chat.pad_id, side="left")
            start = ids.new_tensor([prompts[0][:alike]]).expand(len(prompts), alike)
            ids, mask = torch.cat([start, rest], dim=1), torch.cat([torch.ones_like(start), own], dim=1)
        else:
            alike = 0
        self._ids, self._mask = ids.to(prompt_of.device), mask.to(prompt_of.device)
        self._next = self._mask.sum(1)
        if alike:
            self._read_start(alike)
        self._announce()

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
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(tokens), 1)], dim=1)
        positions = self._next[:, None]
        self._next = self._next + 1
        return self._run(tokens[:, None], positions)

    def select(self, rows: Int[Tensor, " selected"]) -> None:
        """Go on with these rows of the batch, which may repeat some and lack others."""
        self._go_on_with(rows, self._prompt_of[rows])

    def _go_on_with(self, rows: Int[Tensor, " selected"], prompt_of: Int[Tensor, " selected"]) -> None:
        self._cache.batch_select_indices(rows)
        self._mask, self._next = self._mask[rows], self._next[rows]
        self._prompt_of = prompt_of
        self._announce()

    def cache_bytes(self) -> int:
        """Bytes of the keys and values of all that was read."""
        kept = (getattr(layer, name, None) for layer in self._cache.layers for name in ("keys", "values"))
        return sum(part.numel() * part.element_size() for part in kept if isinstance(part, Tensor))

    def _announce(self) -> None:
        if self._on_batch is not None:
            self._on_batch(self._prompt_of)

    def _read_start(self, n: int) -> None:
        """Run what all prompts begin with, once for all."""
        if self._on_batch is not None:
            self._on_batch(self._prompt_of[:1])
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


def _common_start(prompts: Sequence[Sequence[int]]) -> int:
    """Tokens with which all prompts begin; of each at least the last two are its own."""
    shortest = min(map(len, prompts))
    same = (len(set(column)) == 1 for column in zip(*prompts, strict=False))
    return max(0, min(shortest - 2, len(list(takewhile(bool, same)))))


def _pick(
    logits: Float[Tensor, "batch vocabulary"],
    temperature: float,
    top_p: float,
    quantile: Float[Tensor, " batch"] | None,
) -> Int[Tensor, " batch"]:
    best, token = logits.max(-1)
    if not bool(torch.isfinite(best).all()):
        raise InputError(
            f"the model's logits in {logits.dtype} are not finite: its activations overflow; "
            "use dtype float32 or bfloat16"
        )
    if temperature == 0 or quantile is None:
        return token
    probabilities = nucleus(torch.softmax(logits.float() / temperature, dim=-1), top_p)
    shares = probabilities.cumsum(-1, dtype=torch.float64)
    # Above the total of shares, not above 1, from which it differs by rounding.
    wanted = (quantile * shares[:, -1])[:, None]
    return torch.searchsorted(shares, wanted, right=True).squeeze(1).clamp(max=logits.shape[1] - 1)


def _until_eos(ids: list[int], eos_ids: Sequence[int]) -> list[int]:
    end = next((i for i, token in enumerate(ids) if token in eos_ids), len(ids))
    return ids[: end + 1]
