"""Attention as the checkpoint's own code computes it, in place of the bridge's, while responses are written.

The bridge lays out every score and pattern for hooks, and repeats keys and values for every head that shares
them. Where nothing is hooked inside attention, the checkpoint's own module under sdpa gives the same numbers
up to rounding, in less time: it reads each key and value once.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel


@contextmanager
def own_attention(model: LoadedModel) -> Generator[None]:
    """Let every layer attend by its own module; nothing changes where that would not be the same."""
    places = _places(model)
    config: Any = model.hf.config
    if not places:
        yield
        return
    before = config._attn_implementation
    try:
        config._attn_implementation = "sdpa"
        for parent, name, component in places:
            parent._modules[name] = component.original_component
        yield
    finally:
        config._attn_implementation = before
        for parent, name, component in places:
            parent._modules[name] = component


def _places(model: LoadedModel) -> list[tuple[Any, str, Any]]:
    """The attention of every layer: the module that holds it, its name there, and the bridge's component.

    Empty where it must stay: with hooks inside, after the bridge has changed the weights, and for what sdpa
    does not compute.
    """
    from transformer_lens.hook_points import HookPoint
    from transformer_lens.model_bridge.generalized_components.base import GeneralizedComponent
    from transformer_lens.model_bridge.generalized_components.position_embeddings_attention import (
        PositionEmbeddingsAttentionBridge,
    )

    hf, bridge = model.hf, model.bridge
    config: Any = hf.config
    if (
        config._attn_implementation != "eager"
        or not getattr(hf, "_supports_sdpa", False)
        or getattr(config, "attn_logit_softcapping", None) is not None
        or getattr(bridge, "compatibility_mode", False)
    ):
        return []
    places = [
        (parent, name, component)
        for parent in hf.modules()
        if not isinstance(parent, GeneralizedComponent)
        for name, component in parent.named_children()
        if isinstance(component, PositionEmbeddingsAttentionBridge)
    ]
    for _, _, component in places:
        # A learned share of attention that goes nowhere is not for sdpa.
        own = component.original_component
        if own is None or hasattr(own, "sinks"):
            return []
        if any(isinstance(each, HookPoint) and each.has_hooks() for each in component.modules()):
            return []
    return places
