"""Attention as the checkpoint's own code computes it, in place of the bridge's, while responses are written.

The bridge lays out every score and pattern for hooks, and repeats keys and values for every head that shares
them. Where nothing is hooked inside attention, the checkpoint's own module under sdpa gives the same numbers
up to rounding, in less time: it reads each key and value once.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from if_circuits.models.own_modules import Place, components, replaced

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel


@contextmanager
def own_attention(model: LoadedModel) -> Generator[None]:
    """Let every layer attend by its own module; nothing changes where that would not be the same."""
    places = _places(model)
    if not places:
        yield
        return
    config: Any = model.hf.config
    before = config._attn_implementation
    try:
        config._attn_implementation = "sdpa"
        with replaced(places):
            yield
    finally:
        config._attn_implementation = before


def _places(model: LoadedModel) -> list[Place]:
    """The attention of every layer.

    None where it must stay: with hooks inside one, after the bridge has changed the weights, and for what
    sdpa does not compute.
    """
    from transformer_lens.model_bridge.generalized_components.base import GeneralizedComponent
    from transformer_lens.model_bridge.generalized_components.position_embeddings_attention import (
        PositionEmbeddingsAttentionBridge,
    )

    config: Any = model.hf.config
    if (
        config._attn_implementation != "eager"
        or not getattr(model.hf, "_supports_sdpa", False)
        or getattr(config, "attn_logit_softcapping", None) is not None
    ):
        return []
    n_attending = sum(
        isinstance(child, PositionEmbeddingsAttentionBridge)
        for parent in model.hf.modules()
        if not isinstance(parent, GeneralizedComponent)
        for child in parent.children()
    )
    places = components(model, PositionEmbeddingsAttentionBridge)
    # A learned share of attention that goes nowhere is not for sdpa.
    if len(places) < n_attending or any(hasattr(place[2].original_component, "sinks") for place in places):
        return []
    return places
