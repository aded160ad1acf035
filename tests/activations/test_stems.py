"""Prompts that are read once: going on from one gives what reading the whole at once gives."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from if_circuits.activations.stems import Stems
from if_circuits.models.loaded import LoadedModel

LONG = [5, 9, 3, 17, 8, 21, 4]
STEMS = [LONG, LONG[:3], LONG, [7, 2, 6], LONG[:1], [7, 2, 6, 11, 13], LONG[:6]]
"""Some begin others, one stands twice."""


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma2", "qwen2"])
def test_stems_that_begin_others_go_on_as_if_each_was_read_by_itself(
    load: Callable[[str], LoadedModel], architecture: str
) -> None:
    model = load(architecture)
    stems = Stems(model, STEMS, room=2)
    new = torch.tensor([[3 + i, 20 - i] for i in range(len(STEMS))])
    with torch.no_grad():
        found = stems.go_on(new, torch.ones_like(new))
        some = stems.go_on(new[[4, 1]], torch.ones(2, 2, dtype=torch.long), rows=torch.tensor([4, 1]))
        for row, stem in enumerate(STEMS):
            whole = model.hf(torch.tensor([[*stem, *new[row].tolist()]])).logits[0, -2:]
            torch.testing.assert_close(found[row], whole, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(some, found[[4, 1]], rtol=1e-4, atol=1e-5)


def test_what_begins_another_costs_no_reading(
    load: Callable[[str], LoadedModel],
) -> None:
    model = load("llama")
    read: list[tuple[int, ...]] = []
    handle = model.hf.register_forward_pre_hook(
        lambda _, __, given: read.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    try:
        Stems(model, STEMS, room=1)
    finally:
        handle.remove()
    assert read == [(2, 7)]
