"""Passes that go on from a layer against whole ones, on every architecture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from if_circuits.activations.log_odds import ReadPrompts
from if_circuits.interventions.hooks import Intervention
from if_circuits.interventions.operations import Add
from if_circuits.models.loading import LoadedModel
from tests.checkpoints import ARCHITECTURES


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_reading_on_from_a_layer_gives_the_numbers_of_the_whole_pass(
    load: Callable[[str], LoadedModel], architecture: str
) -> None:
    model = load(architecture)
    prompts = model.chat.encode(["Write a note about the sea.", "Say something short about it, please."])
    texts = [[5, 9, 3], [4, 8, 2, 7, 1]]
    runs = list(zip(prompts, texts, strict=True))
    layers = range(model.n_layers)
    whole, kept = ReadPrompts(model, runs), ReadPrompts(model, runs, layers=[*layers, -1])
    np.testing.assert_array_equal(kept.log_probabilities(), whole.log_probabilities())
    step = Add(np.random.default_rng(0).standard_normal(model.d_model), 0.3)
    for layer in (*layers, -1):
        alone, last = Intervention(step, layer), Intervention(step, model.n_layers - 1)
        for interventions in ([alone], [last, alone]):
            got, expected = (read.log_probabilities(interventions) for read in (kept, whole))
            np.testing.assert_array_equal(got, expected)
            assert not np.array_equal(got, whole.log_probabilities())


def test_blocks_below_are_not_run_and_run_again_afterwards(llama: LoadedModel) -> None:
    run: list[int] = []
    handles = [
        block.original_component.register_forward_hook(lambda *_, i=i: run.append(i))
        for i, block in enumerate(llama.bridge.blocks)
    ]
    read = ReadPrompts(llama, [(llama.chat.encode(["Hello there."])[0], [3, 4])], layers=[1])
    plain = read.log_probabilities()
    run.clear()
    read.log_probabilities([Intervention(Add(np.ones(llama.d_model), 0.3), 1)])
    assert 0 not in run and set(run) == set(range(1, llama.n_layers))
    run.clear()
    assert read.log_probabilities() == plain
    assert set(run) == set(range(llama.n_layers))
    for handle in handles:
        handle.remove()


def test_a_forward_that_someone_else_has_set_is_there_again(llama: LoadedModel) -> None:
    inner = llama.bridge.blocks[1].original_component
    theirs = inner.forward  # as accelerate sets one on each module that it moves
    inner.forward = theirs
    try:
        read = ReadPrompts(llama, [(llama.chat.encode(["Hello there."])[0], [3, 4])], layers=[1])
        read.log_probabilities()
        read.log_probabilities([Intervention(Add(np.ones(llama.d_model), 0.3), 1)])
        assert vars(inner)["forward"] is theirs
    finally:
        del inner.forward


def test_a_pass_that_fails_leaves_the_model_as_it_was(llama: LoadedModel) -> None:
    runs = [(llama.chat.encode(["Hello there."])[0], [3, 4])]
    read = ReadPrompts(llama, runs, layers=[1])
    plain = read.log_probabilities()

    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    handle = llama.bridge.blocks[1].register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="broken"):
        read.log_probabilities([Intervention(Add(np.ones(llama.d_model), 0.3), 1)])
    handle.remove()
    assert ReadPrompts(llama, runs).log_probabilities() == plain
    assert not any("forward" in vars(module) for module in llama.bridge.modules())
    assert torch.is_grad_enabled()
