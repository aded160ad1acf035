"""A bridge that a user already has: every instrument works on it, and it is given back bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from if_circuits.activations.capture import capture
from if_circuits.activations.donors import record_donor
from if_circuits.doctor import examine
from if_circuits.errors import InputError
from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.interventions.hooks import Intervention, intervene
from if_circuits.interventions.operations import ProjectOut
from if_circuits.interventions.subspace import Subspace
from if_circuits.models.loading import LoadedModel, load_model
from tests.models.bridges import assert_same, boot, halve, state_of

GREEDY = GenerationConfig(max_new_tokens=12, temperature=0.0)
PROMPTS = ["Write a short note about the river.", "Sound positive!"]


@pytest.fixture(params=["llama", "gemma2", "gpt_neo"])
def held(request: pytest.FixtureRequest, checkpoint: Callable[[str], Path]) -> tuple[Any, Any, Path]:
    directory = checkpoint(request.param)
    return (*boot(directory), directory)


def removal(model: LoadedModel) -> Intervention:
    directions = np.random.default_rng(0).normal(size=(2, model.d_model))
    return Intervention(ProjectOut(Subspace.orthonormalise(directions, name="random")), layers=(1,))


def test_a_bridge_in_hand_says_what_the_same_model_loaded_by_name_says(held: tuple[Any, Any, Path]) -> None:
    bridge, tokenizer, directory = held
    ours, loaded = load_model(bridge, tokenizer=tokenizer), load_model(str(directory))
    assert ours.fingerprint == loaded.fingerprint
    assert (ours.chat.eos_ids, ours.chat.pad_id, ours.chat.system_role) == (
        loaded.chat.eos_ids,
        loaded.chat.pad_id,
        loaded.chat.system_role,
    )
    assert (ours.name, ours.device, ours.dtype) == (str(directory), "cpu", "float32")
    assert ours.preset.max_new_tokens == loaded.preset.max_new_tokens
    rows, expected = generate(ours, PROMPTS, GREEDY), generate(loaded, PROMPTS, GREEDY)
    assert rows.equals(expected)
    np.testing.assert_array_equal(
        capture(ours, rows).features(1, "last"), capture(loaded, rows).features(1, "last")
    )


def test_every_instrument_gives_the_bridge_back_bit_for_bit(
    held: tuple[Any, Any, Path], tmp_path: Path
) -> None:
    bridge, tokenizer, _ = held
    # As in the middle of a user's work: some weights frozen, in training mode, with hooks of three kinds.
    bridge.train()
    bridge.original_model.train()
    bridge.blocks[1].eval()
    next(iter(bridge.parameters())).requires_grad_(False)
    seen: list[int] = []
    modules: list[str] = []
    bridge.add_hook("blocks.1.hook_out", halve(seen))
    bridge.add_hook("blocks.1.hook_out", halve(seen), is_permanent=True)
    bridge.original_model.get_output_embeddings().register_forward_hook(lambda *_: modules.append("after"))
    bridge.original_model.register_forward_pre_hook(lambda *_: modules.append("before"))
    bridge(torch.tensor([[5, 6, 7]]))  # at the first pass the libraries wire hooks of their own
    before = state_of(bridge, tokenizer)

    model = load_model(bridge, tokenizer=tokenizer, name="mine")
    assert model.bridge is bridge and model.name == "mine"
    rows = generate(model, PROMPTS, GREEDY)
    assert_same(before, state_of(bridge, tokenizer))
    generate(model, PROMPTS, GREEDY, interventions=[removal(model)])
    assert_same(before, state_of(bridge, tokenizer))
    capture(model, rows)
    capture(model, rows, path=tmp_path, state="halved twice", interventions=[removal(model)])
    assert_same(before, state_of(bridge, tokenizer))
    record_donor(model, rows, layers=[0, 2])
    assert_same(before, state_of(bridge, tokenizer))
    with intervene(model, [removal(model)]):
        bridge(torch.tensor([[5, 6, 7]]))
    assert_same(before, state_of(bridge, tokenizer))
    with pytest.raises(InputError, match="not fit a model"):
        capture(model, rows, layers=99)
    assert_same(before, state_of(bridge, tokenizer))
    examine(model)
    assert_same(before, state_of(bridge, tokenizer))
    assert seen and {"before", "after"} <= set(modules)


def test_a_users_hook_acts_on_what_the_instruments_compute(held: tuple[Any, Any, Path]) -> None:
    bridge, tokenizer, _ = held
    model = load_model(bridge, tokenizer=tokenizer)
    rows = generate(model, PROMPTS, GREEDY)
    plain = capture(model, rows)
    bridge.add_hook("blocks.1.hook_out", halve([]))
    halved = capture(model, rows)
    np.testing.assert_array_equal(halved.features(0, "last"), plain.features(0, "last"))
    np.testing.assert_array_equal(halved.features(1, "last"), plain.features(1, "last") / 2)
    assert halved.store.key.hooks and not plain.store.key.hooks


def test_what_is_no_bridge_or_lacks_a_tokenizer_is_refused(
    held: tuple[Any, Any, Path],
) -> None:
    bridge, tokenizer, directory = held
    with pytest.raises(InputError, match="needs its model's tokenizer, got none: give tokenizer="):
        load_model(bridge)
    with pytest.raises(InputError, match="tokenizer, got a str"):
        load_model(bridge, tokenizer="gpt2")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"by name or as a TransformerBridge, got a \w+ForCausalLM"):
        load_model(bridge.original_model, tokenizer=tokenizer)
    with pytest.raises(InputError, match="for a bridge in hand"):
        load_model(str(directory), tokenizer=tokenizer)
    with pytest.raises(InputError, match="keeps its device and precision"):
        load_model(bridge, tokenizer=tokenizer, dtype="bfloat16")
    tokenizer.add_tokens([f"<new {i}>" for i in range(400)])
    with pytest.raises(InputError, match="another model's"):
        load_model(bridge, tokenizer=tokenizer)


def test_a_name_takes_the_settings_of_its_preset(checkpoint: Callable[[str], Path]) -> None:
    bridge, tokenizer = boot(checkpoint("llama"))
    assert load_model(bridge, tokenizer=tokenizer, name="if-tiny").preset.held_out_only
    assert not load_model(bridge, tokenizer=tokenizer, name="other").preset.held_out_only
    assert load_model(bridge, tokenizer=tokenizer, name="other").source is None


def test_a_model_is_shown_in_one_line(llama: LoadedModel) -> None:
    assert repr(llama) == f"LoadedModel({llama.name}: 3 blocks, d_model 32, float32 on cpu)"
