"""A checkpoint's own norms, MLPs and projections in place of the bridge's, while a model is at work.

The bridge wraps every module for hooks, and a wrapper whose hooks nobody uses costs time alone: on a GPU, and
wherever few rows are computed, more than the arithmetic. What is skipped here hands its input to the
checkpoint's module and returns what it gives, so the numbers are the same bit for bit. Whatever has a hook
inside stays wrapped.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from torch import nn

from if_circuits.models.state import BRIDGE_SETTINGS, user_hooks

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel

Place: TypeAlias = tuple[Any, str, Any]
"""The module that holds a component of the bridge, the component's name there, and the component."""


@contextmanager
def own_modules(model: LoadedModel) -> Generator[None]:
    """Compute norms and MLPs without wrappers. Blocks keep theirs: hooks on the residual stream may come.

    Nothing changes where that would not be the same.
    """
    from transformer_lens.model_bridge.generalized_components.gated_mlp import GatedMLPBridge
    from transformer_lens.model_bridge.generalized_components.rms_normalization import RMSNormalizationBridge

    with replaced(
        place
        for place in components(model, GatedMLPBridge, RMSNormalizationBridge)
        if not isinstance(place[2], RMSNormalizationBridge) or place[2].use_native_layernorm_autograd
    ):
        yield


@contextmanager
def own_blocks(model: LoadedModel) -> Generator[None]:
    """Compute blocks that have no hook now without wrappers: one that is put on later would not be called."""
    from transformer_lens.model_bridge.generalized_components.block import BlockBridge

    with replaced(components(model, BlockBridge)):
        yield


def components(model: LoadedModel, *kinds: type[Any]) -> list[Place]:
    """The bridge's components of these kinds, without a hook inside.

    None after the bridge has changed the weights, and under its settings that compute in another way.
    """
    from transformer_lens.model_bridge.generalized_components.base import GeneralizedComponent

    bridge = model.bridge
    if getattr(bridge, "compatibility_mode", False) or any(
        getattr(bridge.cfg, name, False) for name in BRIDGE_SETTINGS
    ):
        return []
    return [
        (parent, name, component)
        for parent in model.hf.modules()
        if not isinstance(parent, GeneralizedComponent)
        for name, component in parent.named_children()
        if isinstance(component, kinds)
        and getattr(component, "original_component", None) is not None
        and not any(user_hooks(module) for module in component.modules())
    ]


@contextmanager
def replaced(places: Iterable[Place]) -> Generator[None]:
    """The checkpoint's own module in each place, and in that its own projections."""
    places = list(places)
    places += [place for _, _, component in places for place in _projections(component.original_component)]
    try:
        for parent, name, component in places:
            parent._modules[name] = component.original_component
        yield
    finally:
        for parent, name, component in places:
            parent._modules[name] = component


def _projections(module: nn.Module) -> Iterator[Place]:
    """Wrapped projections that the module calls itself; another wrapper within may need its own."""
    from transformer_lens.model_bridge.generalized_components.base import GeneralizedComponent
    from transformer_lens.model_bridge.generalized_components.linear import LinearBridge

    for name, child in module.named_children():
        if isinstance(child, LinearBridge):
            yield module, name, child
        elif not isinstance(child, GeneralizedComponent):
            yield from _projections(child)
