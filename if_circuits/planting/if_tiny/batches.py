"""Batches for training: a prompt followed by several responses that see the prompt but not each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from if_circuits.planting.if_tiny.corpus import Example, examples
from if_circuits.planting.if_tiny.tokenizer import special_id

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

DECISION_WEIGHT = 2.0
"""Loss weight of a token at which the writer chose how to go on; the words in between follow from the
choice.
"""
SLOT_WEIGHT = 5.0
"""Loss weight of a token that fills a slot: there the prompt has a say."""
POOL = 40
"""Batches that are made together, so that rows of like length share one."""


@dataclass(frozen=True)
class Row:
    """One prompt with its responses, as one sequence."""

    ids: list[int]
    positions: list[int]
    """Position in its own conversation: every response starts right after the prompt."""
    segments: list[int]
    """0 for the prompt, then 1, 2, ... for the responses."""
    weights: list[float]
    """Loss weight of predicting the *next* conversation token from here; 0 where there is nothing to
    learn.
    """
    targets: list[int]


@dataclass(frozen=True)
class TokenBatch:
    """Right-padded rows; weights are 0 where there is nothing to learn."""

    ids: Int[Tensor, "batch pos"]
    positions: Int[Tensor, "batch pos"]
    mask: Bool[Tensor, "batch 1 pos pos"]
    """Which position (last axis) each position may attend to."""
    weights: Float[Tensor, "batch pos"]
    targets: Int[Tensor, "batch pos"]


def batches(tokenizer: PreTrainedTokenizerFast, *, seed: int, batch_size: int) -> Iterator[TokenBatch]:
    """An endless, seeded stream of batches."""
    stream = examples(seed)
    generator = torch.Generator().manual_seed(seed)
    while True:
        rows = encode(tokenizer, list(islice(stream, POOL * batch_size)))
        rows.sort(key=lambda row: len(row.ids))
        chunks = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
        for index in torch.randperm(len(chunks), generator=generator).tolist():
            yield collate(chunks[index], pad_id=special_id(tokenizer, "<pad>"))


def encode(tokenizer: PreTrainedTokenizerFast, chunk: list[Example]) -> list[Row]:
    """Token ids of each example, with end tokens, and a loss weight for every response token."""
    prompts = [chat_text(tokenizer, example.prompt) for example in chunk]
    prompt_ids = cast(list[list[int]], tokenizer(prompts, add_special_tokens=False)["input_ids"])
    texts = [response.text for example in chunk for response in example.responses]
    encoded = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
    tokens = zip(
        cast(list[list[int]], encoded["input_ids"]),
        cast(list[list[tuple[int, int]]], encoded["offset_mapping"]),
        strict=True,
    )
    end = special_id(tokenizer, "<|end|>")
    return [
        _row(prompt, example, list(islice(tokens, len(example.responses))), end=end)
        for prompt, example in zip(prompt_ids, chunk, strict=True)
    ]


def chat_text(tokenizer: PreTrainedTokenizerFast, prompt: str) -> str:
    """The conversation up to where the answer begins."""
    return str(
        tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
        )
    )


def _row(
    prompt: list[int], example: Example, tokens: list[tuple[list[int], list[tuple[int, int]]]], *, end: int
) -> Row:
    # The prompt's last token is no part of the shared prefix: each response repeats it, so that each is
    # predicted from a position of its own.
    *shared, start = prompt
    n = len(shared)
    row = Row(list(shared), list(range(n)), [0] * n, [0.0] * n, [end] * n)
    for segment, (response, (ids, offsets)) in enumerate(zip(example.responses, tokens, strict=True), 1):
        weight_at = dict.fromkeys(response.decisions, DECISION_WEIGHT) | dict.fromkeys(
            response.slots, SLOT_WEIGHT
        )
        row.ids.extend([start, *ids])
        row.targets.extend([*ids, end])
        row.weights.extend(weight_at.get(offset, 1.0) for offset, _ in offsets)
        row.weights.append(DECISION_WEIGHT)
        row.segments.extend([segment] * (len(ids) + 1))
        row.positions.extend(range(n, n + len(ids) + 1))
    return row


def collate(rows: list[Row], *, pad_id: int) -> TokenBatch:
    """Pad rows on the right and let every position see the prompt and its own response up to itself."""
    width = max(len(row.ids) for row in rows)

    def padded(values: list[list[int]], fill: int) -> Tensor:
        return torch.tensor([value + [fill] * (width - len(value)) for value in values])

    segments = padded([row.segments for row in rows], -1)
    same = segments[:, :, None] == segments[:, None, :]
    causal = torch.ones(width, width, dtype=torch.bool).tril()
    return TokenBatch(
        ids=padded([row.ids for row in rows], pad_id),
        positions=padded([row.positions for row in rows], 0),
        mask=((same | (segments == 0)[:, None, :]) & causal)[:, None],
        weights=torch.tensor([row.weights + [0.0] * (width - len(row.ids)) for row in rows]),
        targets=padded([row.targets for row in rows], pad_id),
    )
