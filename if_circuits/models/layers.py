"""Layers of the residual stream: numbers, names and depths.

Layer -1 is the residual stream that enters block 0 (`embed`), layer i >= 0 the one that leaves block i.
"""

from __future__ import annotations

EMBED = -1
"""The layer before the first block."""


def hook_name(layer: int) -> str:
    """The TransformerLens hook point that carries a layer's residual stream."""
    if layer < EMBED:
        raise ValueError(f"layer {layer} does not exist: layers count from {EMBED} (embed) to n_layers - 1")
    return "blocks.0.hook_in" if layer == EMBED else f"blocks.{layer}.hook_out"


def layer_label(layer: int) -> str:
    """The layer as figures and tables show it: `embed`, `0`, `1`, ..."""
    return "embed" if layer == EMBED else str(layer)


def depth(layer: int, n_layers: int) -> float:
    """The layer as a share of the model's blocks that lie below it: 0 for embed, 1 for the last block."""
    if not EMBED <= layer < n_layers:
        raise ValueError(
            f"layer {layer} does not exist: a model of {n_layers} blocks has {EMBED} to {n_layers - 1}"
        )
    return (layer + 1) / n_layers
