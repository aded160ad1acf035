"""A bridge of a user's own, and all that must be the same of it afterwards."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast


def boot(directory: Path) -> tuple[Any, Any]:
    """A bridge and its tokenizer, loaded as TransformerLens says."""
    from transformer_lens.model_bridge import TransformerBridge

    tokenizer = PreTrainedTokenizerFast.from_pretrained(directory)
    return TransformerBridge.boot_transformers(str(directory), tokenizer=tokenizer), tokenizer


def state_of(bridge: Any, tokenizer: Any) -> dict[str, Any]:
    """Weights, gradients' switches, modes, hooks in their order, tokenizers and configuration."""
    modules = {**dict(bridge.original_model.named_modules()), **dict(bridge.named_modules())}
    return {
        "weights": {
            name: (tensor.clone(), tensor.requires_grad, tensor.grad, tensor.data_ptr())
            for name, tensor in [*bridge.named_parameters(), *bridge.named_buffers()]
        },
        "training": {name: module.training for name, module in modules.items()},
        "hooks": {
            name: (list(module._forward_pre_hooks.values()), list(module._forward_hooks.values()))
            for name, module in modules.items()
        },
        "points": {name: [h.hook.id for h in point.fwd_hooks] for name, point in bridge.hook_dict.items()},
        "tokenizer": (tokenizer.backend_tokenizer.to_str(), tokenizer.padding_side, tokenizer.chat_template),
        "bridge_tokenizer": (id(bridge.tokenizer), bridge.tokenizer.backend_tokenizer.to_str()),
        "cfg": deepcopy(vars(bridge.cfg)),
        "config": bridge.original_model.config.to_dict(),
        "generation_config": bridge.original_model.generation_config.to_dict(),
        "threads": torch.get_num_threads(),
        "gradients": torch.is_grad_enabled(),
        "random": torch.get_rng_state().tolist(),
    }


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    """The two are equal, to the bit."""
    assert before.keys() == after.keys()
    for name in before:
        if name != "weights":
            assert before[name] == after[name], name
    assert before["weights"].keys() == after["weights"].keys()
    for name, (tensor, *others) in before["weights"].items():
        again, *same = after["weights"][name]
        assert torch.equal(tensor, again) and others == same, name


def halve(seen: list[int]) -> Callable[..., torch.Tensor]:
    """A user's hook, which halves what it is given and counts."""

    def hook(x: torch.Tensor, hook: Any) -> torch.Tensor:
        del hook
        seen.append(x.shape[1])
        return x / 2

    return hook
