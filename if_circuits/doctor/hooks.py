"""Hooks: do they see every layer once, change nothing when they do nothing, and something when they write?"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch

from if_circuits.doctor.base import Check
from if_circuits.doctor.probe_prompts import some_rows
from if_circuits.models.layers import EMBED, hook_name, layer_label
from if_circuits.models.loading import LoadedModel


def check_hooks(model: LoadedModel) -> Check:
    """Whether the residual stream of every layer can be read and written."""
    ids = torch.tensor(some_rows(model, spare=0)[:1], device=model.device)
    layers = range(EMBED, model.n_layers)
    fired: Counter[int] = Counter()

    def leave(layer: int) -> Any:
        def same(x: torch.Tensor, hook: Any) -> torch.Tensor:  # noqa: ARG001
            fired[layer] += 1
            return x.clone()

        return same

    def remove(x: torch.Tensor, hook: Any) -> torch.Tensor:  # noqa: ARG001
        return torch.zeros_like(x)

    intact = _logits(model, ids, [])
    same = _logits(model, ids, [(hook_name(layer), leave(layer)) for layer in layers])
    wrong = [layer for layer in layers if fired[layer] != 1]
    if wrong:
        return _failed(
            f"the hook at layer {layer_label(wrong[0])} fires {fired[wrong[0]]} times a pass, not once"
        )
    if not torch.equal(same, intact):
        return _failed("hooks that change nothing change the logits")
    deaf = [n for n in layers if torch.equal(_logits(model, ids, [(hook_name(n), remove)]), intact)]
    if deaf:
        return _failed(f"what a hook writes at layer {layer_label(deaf[0])} does not reach the logits")
    if not torch.equal(_logits(model, ids, []), intact):
        return _failed("the logits are others after the hooks are gone")
    return Check(
        "hook_identity",
        "pass",
        f"{len(layers)} layers: each hook fires once, copying changes no bit, removing the stream does",
    )


def _failed(seen: str) -> Check:
    return Check(
        "hook_identity",
        "fail",
        f"{seen}: capture and ablation cannot be trusted; use a model that TransformerLens supports",
    )


def _logits(model: LoadedModel, ids: torch.Tensor, hooks: list[Any]) -> torch.Tensor:
    with torch.no_grad(), model.bridge.hooks(fwd_hooks=hooks):
        return model.hf(input_ids=ids).logits
