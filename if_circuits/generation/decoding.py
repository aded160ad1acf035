"""The decoding loop: prompts in, their continuations out.

It runs the Hugging Face model inside the bridge, so that hooks fire, with a key-value cache, left padding,
the mask and explicit positions. What several rows share of their prompts is read once, and rows that have
ended make room for others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from if_circuits.generation.batch import Batch, OnBatch, common_start
from if_circuits.generation.nucleus import pick
from if_circuits.generation.own_attention import own_attention
from if_circuits.models.own_modules import own_blocks

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel

OnEnd: TypeAlias = Callable[[int, list[int]], None]
"""Told the number of a row that has ended, and its new tokens."""

_ACTIVE_SHARE = 0.75
"""Ended rows are carried along until less than this share of the batch is active: to replace them, prompts
are read, and to let them go, the cache is copied.
"""


def decode(
    model: LoadedModel,
    prompts: Sequence[Sequence[int]],
    rows: Sequence[int],
    *,
    max_new_tokens: int,
    width: int | None = None,
    temperature: float = 0.0,
    top_p: float = 1.0,
    noise: Float[Tensor, "rows max_new_tokens"] | None = None,
    stems: Sequence[int] | None = None,
    start_shared: bool = False,
    on_batch: OnBatch | None = None,
    on_end: OnEnd | None = None,
) -> list[list[int]]:
    """Continue `prompts[i]` for each i of `rows`; gives the new tokens of each, with the EOS where it came.

    So many rows as `width` says stand side by side, by default all; one that ends makes room for the next.

    At temperature 0 the likeliest token is taken; otherwise the one at the quantile `noise`, uniform in
    [0, 1), of the distribution at that temperature, or of its likeliest tokens with `top_p` below 1
    (`nucleus`). So a row follows from its prompt and its noise, and not from its neighbours.

    Prompts with the same number in `stems` are the same text and are read in the same way up to their last
    token: that much of them is read once for all. Such prompts need two tokens. With `start_shared` all
    prompts are read in the same way up to there, and what all of them begin with is read once as well.
    """
    device = torch.device(model.device)
    asked = [prompts[i] for i in dict.fromkeys(rows)]
    alike = common_start(asked) if start_shared and asked else 0
    run = _Run(
        model,
        prompts,
        rows,
        stems,
        tokens=torch.full((len(rows), max_new_tokens), model.chat.pad_id, device=device),
        noise=noise,
        temperature=temperature,
        top_p=top_p,
        eos=torch.tensor(model.chat.eos_ids, dtype=torch.long, device=device),
        alike=alike,
        own=max(map(len, asked), default=0) - alike,
        on_batch=on_batch,
        on_end=on_end,
    )
    waiting = list(range(len(rows)))
    with torch.no_grad(), own_blocks(model), own_attention(model):
        while waiting:
            run.write(waiting, width or len(rows))
    return [run.response(number) for number in range(len(rows))]


@dataclass(frozen=True, eq=False)
class _Run:
    """One call of `decode`, as its arguments say, and what was written."""

    model: LoadedModel
    prompts: Sequence[Sequence[int]]
    rows: Sequence[int]
    stems: Sequence[int] | None
    tokens: Int[Tensor, "rows max_new_tokens"]
    noise: Float[Tensor, "rows max_new_tokens"] | None
    temperature: float
    top_p: float
    eos: Int[Tensor, " eos"]
    alike: int
    """Tokens that all prompts begin with."""
    own: int
    """Tokens that the longest prompt has beside these."""
    on_batch: OnBatch | None
    on_end: OnEnd | None

    def write(self, waiting: list[int], width: int) -> None:
        """Write the first `width` of the waiting rows, and then those that find room; who is written leaves.

        All of them where rows may join a batch.
        """
        longest = self.tokens.shape[1]
        row, batch = self._begin(waiting, width, room=longest)
        written, ended = torch.ones_like(row), torch.zeros_like(row, dtype=torch.bool)
        while True:
            last = self.tokens[row, written - 1]
            ends = ~ended & (torch.isin(last, self.eos) | (written == longest))
            for number in row[ends].tolist():
                if self.on_end is not None:
                    self.on_end(number, self.response(number))
            ended = ended | ends
            batch.retire(ends)
            active = int((~ended).sum())
            if active < _ACTIVE_SHARE * len(row):
                if waiting and batch.can_be_joined:
                    free = ended.nonzero().flatten()[: len(waiting)]
                    row[free], fresh = self._begin(waiting, len(free), room=0)
                    batch.join(fresh, free)
                    written[free], ended[free] = 1, False
                    continue
                if active == 0:
                    return
                keep = (~ended).nonzero().flatten()
                row, written, ended = row[keep], written[keep], ended[keep]
                batch.select(keep)
                last = last[keep]
            logits = batch.read(last)
            going = ~ended
            picked = self._pick(logits, row, written.clamp(max=longest - 1))
            self.tokens[row[going], written[going]] = picked[going]
            written = written + going

    def response(self, number: int) -> list[int]:
        """The new tokens of a row, up to its EOS."""
        ids, ends = self.tokens[number].tolist(), self.model.chat.eos_ids
        end = next((i for i, token in enumerate(ids) if token in ends), len(ids))
        return ids[: end + 1]

    def _begin(self, waiting: list[int], n: int, *, room: int) -> tuple[Int[Tensor, " n"], Batch]:
        """Take n rows from those that wait, read their prompts, and write the first token of each."""
        numbers = waiting[:n]
        del waiting[:n]
        contexts = [self.rows[number] for number in numbers]
        distinct = list(dict.fromkeys(contexts))
        # One prompt of each stem; without stems, each prompt.
        read = distinct
        if self.stems is not None:
            read = list({self.stems[i]: i for i in distinct}.values())
        batch = Batch(
            self.model,
            [self.prompts[i] for i in read],
            self._numbers(read),
            room,
            self.on_batch,
            alike=self.alike,
            own=self.own,
        )
        if self.stems is not None and len(read) < len(distinct):
            place = {self.stems[i]: number for number, i in enumerate(read)}
            copies = self._numbers([place[self.stems[i]] for i in distinct])
            logits = batch.read_prompts_from_stems(copies, self._numbers(distinct))
        else:
            logits = batch.read_prompts()
        if len(contexts) > len(distinct):
            place = {prompt: number for number, prompt in enumerate(distinct)}
            copies = self._numbers([place[i] for i in contexts])
            batch.select(copies)
            logits = logits[copies]
        row = self._numbers(numbers)
        self.tokens[row, 0] = self._pick(logits, row, torch.zeros_like(row))
        return row, batch

    def _numbers(self, values: Sequence[int]) -> Int[Tensor, " n"]:
        return torch.tensor(values, dtype=torch.long, device=self.tokens.device)

    def _pick(
        self,
        logits: Float[Tensor, "batch vocabulary"],
        row: Int[Tensor, " batch"],
        at: Int[Tensor, " batch"],
    ) -> Int[Tensor, " batch"]:
        """The next token of each row, its `at`-th."""
        quantile = None if self.noise is None else self.noise[row, at]
        return pick(logits, self.temperature, self.top_p, quantile)
