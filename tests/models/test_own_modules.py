from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from torch import nn
from transformer_lens.model_bridge.generalized_components.block import BlockBridge
from transformer_lens.model_bridge.generalized_components.gated_mlp import GatedMLPBridge
from transformer_lens.model_bridge.generalized_components.rms_normalization import RMSNormalizationBridge

from if_circuits.models.loading import LoadedModel
from if_circuits.models.own_modules import own_blocks, own_modules
from if_circuits.models.state import settings_sha256


def noting(seen: list[str]) -> Callable[..., None]:
    def look(x: torch.Tensor, hook: Any) -> None:
        del x
        seen.append(str(hook.name))

    return look


def logits(model: LoadedModel) -> torch.Tensor:
    ids = torch.tensor([[9, 8, 7, 6, 5, 4], [3, 3, 5, 6, 7, 8]])
    with torch.no_grad():
        return model.hf(input_ids=ids, attention_mask=torch.ones_like(ids)).logits


@pytest.mark.parametrize("own", [own_modules, own_blocks])
def test_numbers_are_the_same_bit_for_bit_and_every_wrapper_returns(
    model: LoadedModel, own: Callable[[LoadedModel], AbstractContextManager[None]]
) -> None:
    before, modules, settings = logits(model), list(model.hf.named_modules()), settings_sha256(model.bridge)
    fingerprint = model.fingerprint
    with own(model):
        assert torch.equal(logits(model), before)
        assert model.fingerprint == fingerprint
    assert list(model.hf.named_modules()) == modules
    assert settings_sha256(model.bridge) == settings
    assert torch.equal(logits(model), before)


def test_a_block_with_a_hook_keeps_it_and_the_others_are_called_without_wrappers(
    llama: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    forward = BlockBridge.forward

    def noted(self: BlockBridge, *given: Any, **named: Any) -> Any:
        called.append(str(self.name))
        return forward(self, *given, **named)

    monkeypatch.setattr(BlockBridge, "forward", noted)
    seen: list[str] = []
    hook = ("blocks.1.hook_out", noting(seen))
    with llama.bridge.hooks(fwd_hooks=[hook]), own_blocks(llama):
        logits(llama)
    assert len(seen) == len(called) == 1
    logits(llama)
    assert len(called) == 1 + llama.n_layers


def test_wrappers_are_not_called_while_it_works(llama: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("a wrapper was called")

    for wrapper in (GatedMLPBridge, RMSNormalizationBridge):
        monkeypatch.setattr(wrapper, "forward", refuse)
    with own_modules(llama):
        logits(llama)
    with pytest.raises(RuntimeError, match="a wrapper was called"):
        logits(llama)


def named(part: str) -> Callable[[LoadedModel], nn.Module]:
    return lambda model: model.bridge.blocks[1].get_submodule(part)


@pytest.mark.parametrize(
    "hooked", [named("mlp"), named("mlp.gate"), named("ln1"), named("ln2")], ids=["mlp", "gate", "ln1", "ln2"]
)
def test_a_torch_hook_on_a_wrapper_fires_as_ever(
    llama: LoadedModel, hooked: Callable[[LoadedModel], nn.Module]
) -> None:
    seen: list[tuple[int, ...]] = []
    handle = hooked(llama).register_forward_hook(lambda *given: seen.append(tuple(given[2].shape)))
    try:
        logits(llama)
        usual = list(seen)
        with own_modules(llama):
            logits(llama)
    finally:
        handle.remove()
    assert usual and seen == 2 * usual


@pytest.mark.parametrize(
    "place",
    ["mlp.hook_in", "mlp.hook_out", "mlp.gate.hook_out", "ln1.hook_scale", "hook_resid_mid", "ln2.hook_out"],
)
def test_a_hook_inside_fires_and_acts_as_ever(llama: LoadedModel, place: str) -> None:
    def doubled(x: torch.Tensor, hook: Any) -> torch.Tensor:
        del hook
        return 2 * x

    intact = logits(llama)
    with llama.bridge.hooks(fwd_hooks=[(f"blocks.1.{place}", doubled)]):
        usual = logits(llama)
        with own_modules(llama):
            assert torch.equal(logits(llama), usual)
    assert not torch.equal(usual, intact)


def test_a_switch_of_the_bridge_is_obeyed(llama: LoadedModel) -> None:
    seen: list[str] = []
    llama.bridge.cfg.use_hook_mlp_in = True
    try:
        with (
            llama.bridge.hooks(fwd_hooks=[("blocks.1.hook_mlp_in", noting(seen))]),
            own_modules(llama),
        ):
            logits(llama)
    finally:
        llama.bridge.cfg.use_hook_mlp_in = False
    assert len(seen) == 1
