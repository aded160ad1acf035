"""Numbers: are the weights finite, and does the residual stream stay within what the precision holds?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from if_circuits.doctor.base import Check
from if_circuits.doctor.probe_prompts import some_rows
from if_circuits.models.layers import EMBED, hook_name, layer_label
from if_circuits.models.loading import LoadedModel

TOLERANCE = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}
"""How far two ways to compute the same may lie apart, relative to the largest value: some rounding errors."""

_FLOAT16_MAX = float(torch.finfo(torch.float16).max)


def apart(found: Float[Tensor, "*shape"], expected: Float[Tensor, "*shape"]) -> float:
    """Largest difference over the largest value expected; NaN where one of the two is."""
    scale = float(expected.abs().max())
    return float((found.float() - expected.float()).abs().max()) / (scale or 1.0)


def check_weights(model: LoadedModel) -> Check:
    """Whether every weight is a finite number."""
    n = 0
    for name, weight in model.hf.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            plain = name.replace("._original_component", "")
            return Check(
                "weights", "fail", f"{plain} holds NaN or infinity; fetch or save the checkpoint again"
            )
        n += weight.numel()
    return Check("weights", "pass", f"{n:,} parameters, all finite, in {model.dtype}")


def check_dtype_range(model: LoadedModel) -> Check:
    """Whether the residual stream overflows in this precision, or would in float16."""
    largest: dict[int, float] = {}

    def watch(layer: int) -> Any:
        def note(x: torch.Tensor, hook: Any) -> None:  # noqa: ARG001
            # Unlike max, maximum passes NaN on.
            largest[layer] = float(np.maximum(largest.get(layer, 0.0), float(x.abs().max())))

        return note

    layers = range(EMBED, model.n_layers)
    taps = [(hook_name(layer), watch(layer)) for layer in layers]
    finite = True
    with torch.no_grad(), model.bridge.hooks(fwd_hooks=taps):
        for row in some_rows(model, spare=0):
            logits = model.hf(input_ids=torch.tensor([row], device=model.device)).logits
            finite = finite and bool(torch.isfinite(logits).all())
    broken = [layer for layer in layers if not largest[layer] < float("inf")]
    if broken or not finite:
        where = f"the residual stream at layer {layer_label(broken[0])}" if broken else "a logit"
        return Check(
            "dtype_range", "fail", f"{where} is not finite in {model.dtype}; use --dtype bfloat16 or float32"
        )
    top = max(largest, key=lambda layer: largest[layer])
    seen = f"the residual stream reaches {largest[top]:.3g}, at layer {layer_label(top)}"
    if largest[top] > _FLOAT16_MAX / 4:
        return Check(
            "dtype_range",
            "warn",
            f"{seen}: near or beyond {_FLOAT16_MAX:.0f}, where float16 ends; use --dtype bfloat16 or float32",
        )
    return Check("dtype_range", "pass", f"{seen}; float16 ends at {_FLOAT16_MAX:.0f}, bfloat16 at 3e38")
