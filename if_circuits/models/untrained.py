"""A model as it is before training: the same architecture, with weights drawn anew.

What a method finds in it, it finds in the architecture and in the texts, since nothing was learned.
TransformerLens has `random_init_bridge` for models by name; here any loaded model will do, a GGUF file or a
bridge in hand too.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from if_circuits.models.loaded import LoadedModel


def untrained(model: LoadedModel, *, seed: int) -> LoadedModel:
    """The model with weights as its architecture draws them, on the same device and in the same precision.

    Args:
        model: The trained model; it is left as it is.
        seed: Of the weights. Torch's own random numbers are left as they were.

    Example:
        >>> import if_circuits as ifc
        >>> trained = ifc.load_model("if-tiny")
        >>> fresh = untrained(trained, seed=0)
        >>> fresh.fingerprint == trained.fingerprint, fresh.d_model
        (False, 128)
    """
    from transformer_lens.model_bridge import TransformerBridge

    trained: Any = model.hf
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        fresh = type(trained)(copy.deepcopy(trained.config))
    fresh = fresh.to(device=model.device, dtype=trained.dtype)
    fresh.generation_config = copy.deepcopy(trained.generation_config)
    bridge = TransformerBridge.boot_transformers(
        model.source or model.name,
        hf_model=fresh,
        tokenizer=copy.deepcopy(model.chat.tokenizer),
        dtype=trained.dtype,
        device=model.device,
    )
    bridge.eval()
    bridge.original_model.eval().requires_grad_(False)
    return replace(model, name=f"{model.name}, untrained", bridge=bridge, source=None, dequantised_from=None)
