"""Packed responses: each is predicted as if it alone followed its prompt."""

from __future__ import annotations

from functools import cache
from itertools import islice
from typing import Any

import torch

from if_circuits.planting.if_tiny import tokenizer as tokenizer_module
from if_circuits.planting.if_tiny.batches import (
    DECISION_WEIGHT,
    SLOT_WEIGHT,
    TokenBatch,
    batches,
    collate,
    encode,
)
from if_circuits.planting.if_tiny.corpus import Example, examples
from if_circuits.planting.if_tiny.train import Recipe, new_model, weighted_loss


@cache
def small_tokenizer() -> Any:
    return tokenizer_module.train_tokenizer(0, n_examples=300)


def batch_of(chunk: list[Example]) -> TokenBatch:
    return collate(encode(small_tokenizer(), chunk), pad_id=small_tokenizer().pad_token_id)


def test_packed_responses_are_predicted_as_if_each_stood_alone() -> None:
    model = new_model(Recipe(n_layers=2, d_model=32, d_mlp=32), small_tokenizer())
    for example in islice(examples(3), 5):
        packed = batch_of([example])
        alone = [batch_of([Example(example.prompt, (response,))]) for response in example.responses]
        with torch.no_grad():
            total = sum(weighted_loss(model, one) * one.weights.sum() for one in alone)
            assert torch.isclose(weighted_loss(model, packed) * packed.weights.sum(), torch.as_tensor(total))


def test_padding_rows_changes_nothing() -> None:
    model = new_model(Recipe(n_layers=2, d_model=32, d_mlp=32), small_tokenizer())
    chunk = list(islice(examples(4), 6))
    together, apart = batch_of(chunk), [batch_of([example]) for example in chunk]
    with torch.no_grad():
        total = sum(weighted_loss(model, one) * one.weights.sum() for one in apart)
        assert torch.isclose(weighted_loss(model, together) * together.weights.sum(), torch.as_tensor(total))


def test_targets_spell_out_the_responses_and_their_end() -> None:
    example = next(examples(5))
    batch = batch_of([example])
    learnt = small_tokenizer().decode(batch.targets[batch.weights > 0])
    assert learnt == "".join(f"{response.text}<|end|>" for response in example.responses)


def test_choices_weigh_more_than_what_follows_from_them() -> None:
    batch = batch_of(list(islice(examples(6), 20)))
    assert set(batch.weights.unique().tolist()) == {0.0, 1.0, DECISION_WEIGHT, SLOT_WEIGHT}


def test_batches_are_seeded() -> None:
    first, again = (next(batches(small_tokenizer(), seed=2, batch_size=4)) for _ in range(2))
    other = next(batches(small_tokenizer(), seed=3, batch_size=4))
    assert torch.equal(first.ids, again.ids)
    assert first.ids.shape != other.ids.shape or not torch.equal(first.ids, other.ids)
