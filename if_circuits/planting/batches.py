"""Batches for planting: those of if-tiny's training, with what is set at each position and where coordinates
belong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from if_circuits.planting.corpus import PlantedExample, planted_examples, planted_prompts
from if_circuits.planting.if_tiny.batches import POOL, Row, TokenBatch, chat_text, collate, encode
from if_circuits.planting.if_tiny.corpus import Example
from if_circuits.planting.if_tiny.tokenizer import special_id
from if_circuits.planting.mechanism import Mechanism

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class PlantedBatch:
    """A batch of prompts with their responses, and the interventions under which it is learnt."""

    tokens: TokenBatch
    direction: Float[Tensor, "batch pos d_model"]
    """Unit vector whose coordinate is set; zero where none is."""
    value: Float[Tensor, "batch pos"]
    """What it is set to, in units of the residual stream."""
    target: Float[Tensor, "batch pos directions"]
    """Where the coordinates belong, in units of c; NaN where anything goes."""


def planted_batches(
    mechanism: Mechanism, tokenizer: PreTrainedTokenizerFast, *, seed: int, batch_size: int
) -> Iterator[PlantedBatch]:
    """An endless, seeded stream of batches."""

    stream = planted_examples(mechanism, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    pad_id = special_id(tokenizer, "<pad>")
    while True:
        pool = list(islice(stream, POOL * batch_size))
        rows = encode(tokenizer, [_plain(example) for example in pool])
        order = sorted(range(len(rows)), key=lambda i: len(rows[i].ids))
        chunks = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
        for index in torch.randperm(len(chunks), generator=generator).tolist():
            chosen = chunks[index]
            yield _collate([rows[i] for i in chosen], [pool[i] for i in chosen], mechanism, pad_id=pad_id)


def _plain(example: PlantedExample) -> Example:
    return Example(example.prompt, tuple(response.text for response in example.responses))


def _collate(
    rows: list[Row], examples: list[PlantedExample], mechanism: Mechanism, *, pad_id: int
) -> PlantedBatch:
    tokens = collate(rows, pad_id=pad_id)
    names = list(mechanism.directions)
    d_model = len(next(iter(mechanism.directions.values())))
    direction = torch.zeros(*tokens.ids.shape, d_model)
    value = torch.zeros(tokens.ids.shape)
    target = torch.full((*tokens.ids.shape, len(names)), torch.nan)
    for i, (row, example) in enumerate(zip(rows, examples, strict=True)):
        segments = torch.tensor(row.segments)
        for segment, response in enumerate(example.responses, 1):
            where = (segments == segment).nonzero().flatten()
            if response.direction is not None:
                direction[i, where] = torch.tensor(response.direction, dtype=torch.float32)
                value[i, where] = response.value * mechanism.c
            if response.after:
                target[i, where] = torch.tensor([response.after[name] for name in names])
                target[i, where[0]] = torch.tensor([response.before[name] for name in names])
    return PlantedBatch(tokens, direction, value, target)


@dataclass(frozen=True)
class CoinBatch:
    """Right-padded prompts, and where the coordinates belong at their last positions."""

    ids: Int[Tensor, "batch pos"]
    mask: Int[Tensor, "batch pos"]
    target: Float[Tensor, "batch directions"]


def coin_batches(
    mechanism: Mechanism, tokenizer: PreTrainedTokenizerFast, *, seed: int, batch_size: int
) -> Iterator[CoinBatch]:
    """An endless, seeded stream of constrained prompts without responses, but for the first token where it
    has a say in the gate.
    """
    names = list(mechanism.directions)
    stream = planted_prompts(mechanism, seed=seed)
    while True:
        chosen = list(islice(stream, batch_size))
        texts = [chat_text(tokenizer, prompt) for prompt, _, _ in chosen]
        prompts = cast(list[list[int]], tokenizer(texts, add_special_tokens=False)["input_ids"])
        words = [beginning for _, beginning, _ in chosen]
        begun = cast(list[list[int]], tokenizer(words, add_special_tokens=False)["input_ids"])
        rows = [[*prompt, *first[:1]] for prompt, first in zip(prompts, begun, strict=True)]
        width = max(map(len, rows))
        yield CoinBatch(
            ids=torch.tensor([row + [0] * (width - len(row)) for row in rows]),
            mask=torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows]),
            target=torch.tensor([[at[name] for name in names] for _, _, at in chosen]),
        )
