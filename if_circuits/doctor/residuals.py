"""Residual streams: those that are captured equal those of the plain Hugging Face model."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from if_circuits.doctor.base import Check
from if_circuits.doctor.machine import GIB
from if_circuits.doctor.numbers import TOLERANCE, apart
from if_circuits.doctor.probe_prompts import some_rows
from if_circuits.models.layers import EMBED, hook_name, layer_label
from if_circuits.models.loading import LoadedModel, load_plain
from if_circuits.models.memory import free_memory, weight_bytes


def check_residuals(model: LoadedModel) -> Check:
    """Whether every layer, and the logits, equal Hugging Face's within rounding errors."""
    if model.source is None:
        return Check(
            "residual_equality",
            "warn",
            "not compared: a bridge in hand has no files to load a plain copy from; examine it by name",
        )
    needed, free = weight_bytes(model), free_memory(model.device)
    if free is not None and needed > 0.8 * free:
        return Check(
            "residual_equality",
            "warn",
            f"not compared: a second copy of the weights needs {needed / GIB:.1f} GiB of {free / GIB:.1f}; "
            "examine it on a larger machine",
        )
    plain: Any = load_plain(model)
    blocks = _blocks(plain, model.n_layers)
    if blocks is None:
        return Check(
            "residual_equality",
            "warn",
            f"not compared: no list of {model.n_layers} blocks in {type(plain).__name__}; compare by hand",
        )
    names = [hook_name(layer) for layer in range(EMBED, model.n_layers)]
    worst: dict[str, float] = dict.fromkeys([*map(layer_label, range(EMBED, model.n_layers)), "logits"], 0.0)
    for row in some_rows(model, spare=0)[:3]:
        ids = torch.tensor([row], device=model.device)
        with torch.no_grad():
            logits, cache = model.bridge.run_with_cache(ids, names_filter=names)
        pairs = zip([*(cache[name] for name in names), logits], _streams(plain, blocks, ids), strict=True)
        for where, (found, expected) in zip(worst, pairs, strict=True):
            worst[where] = float(np.maximum(worst[where], apart(found, expected)))
    # The first NaN, if there is one, else the largest.
    where = list(worst)[int(np.argmax(list(worst.values())))]
    if not worst[where] <= TOLERANCE[model.dtype]:
        return Check(
            "residual_equality",
            "fail",
            f"layer {where} is {worst[where]:.1e} (of its largest value) from Hugging Face's: "
            "TransformerLens computes this architecture otherwise; do not study it with this version",
        )
    exact = "exactly" if worst[where] == 0 else f"within {worst[where]:.1e} of the largest value"
    return Check(
        "residual_equality", "pass", f"{len(names)} layers and the logits equal Hugging Face's {exact}"
    )


def _blocks(plain: Any, n_layers: int) -> Any:
    lists = (m for m in plain.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == n_layers)
    return next(lists, None)


def _streams(plain: Any, blocks: Any, ids: torch.Tensor) -> list[torch.Tensor]:
    """What enters the first block, what leaves each, and the logits."""
    seen: list[torch.Tensor] = []

    def enters(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen.append(args[0] if args else kwargs["hidden_states"])

    def leaves(_module: Any, _args: Any, output: Any) -> None:
        seen.append(output[0] if isinstance(output, tuple) else output)

    handles = [blocks[0].register_forward_pre_hook(enters, with_kwargs=True)]
    handles += [block.register_forward_hook(leaves) for block in blocks]
    try:
        with torch.no_grad():
            logits = plain(input_ids=ids, use_cache=False).logits
    finally:
        for handle in handles:
            handle.remove()
    return [*seen, logits]
