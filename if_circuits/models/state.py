"""What changes a model's numbers and is no weight: hooks, replaced methods, and settings of its modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import nn

from if_circuits.io.digest import value_sha256

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

_LIBRARIES = ("transformer_lens.", "transformers.", "accelerate.")
"""Hooks of these are part of how the model runs."""
_NOT_NUMBERS = ("training", "name_or_path", "max_seq_len_cached", "layer_idx")
"""Attributes of modules that have no say in the numbers, or that change while the model runs."""
BRIDGE_SETTINGS = ("use_attn_result", "use_split_qkv_input", "use_attn_in", "use_hook_mlp_in")
"""Switches of the bridge, with which it computes in another way or calls more hooks."""


def hooks_in_place(bridge: TransformerBridge) -> tuple[str, ...]:
    """Every forward hook, on hook points and on modules, and every replaced `forward`, as "place: function".

    Hooks that the libraries themselves need are left out. Those of an `intervene` around the caller are not.
    """
    found = [
        f"{_hook_point_name(module) or name}: {_function_name(hook)}"
        for name, module in _modules(bridge)
        for hook in user_hooks(module)
    ]
    for kind in ("_global_forward_pre_hooks", "_global_forward_hooks"):
        everywhere: dict[int, Any] = getattr(nn.modules.module, kind)
        found += [f"all modules: {_function_name(hook)}" for hook in everywhere.values()]
    return tuple(found)


def user_hooks(module: nn.Module) -> list[Callable[..., Any]]:
    """Forward hooks on a module and what replaced its `forward`, but for what the libraries need."""
    from transformer_lens.hook_points import HookPoint

    # Torch lists hooks nowhere in public.
    own: dict[str, Any] = vars(module)
    before, after = own["_forward_pre_hooks"].values(), own["_forward_hooks"]
    if isinstance(module, HookPoint):
        wrapped = {handle.hook.id: handle.user_hook for handle in module.fwd_hooks}
        return [*before, *(wrapped.get(number) or hook for number, hook in after.items())]
    hooks = [*before, *after.values(), *([own["forward"]] if "forward" in own else [])]
    return [hook for hook in hooks if not _of_a_library(hook)]


def settings_sha256(bridge: TransformerBridge) -> str:
    """Hash of the plain attributes of the model's modules, such as the epsilon of a norm, and of the bridge's
    switches.
    """
    plain: list[tuple[str, str, bool | int | float | str]] = []
    for name, module in _modules(bridge):
        if type(module).__module__.startswith("transformer_lens."):
            continue
        plain += [
            (name, attribute, value)
            for attribute, value in sorted(vars(module).items())
            if isinstance(value, bool | int | float | str)
            and attribute not in _NOT_NUMBERS
            and not attribute.startswith("_")
        ]
    switches = [(name, bool(getattr(bridge.cfg, name, False))) for name in BRIDGE_SETTINGS]
    return value_sha256([plain, switches, bool(getattr(bridge, "compatibility_mode", False))])


def _modules(bridge: TransformerBridge) -> Iterator[tuple[str, nn.Module]]:
    """Each module of the bridge and of the model inside it once, with its name."""
    seen: set[int] = set()
    for root in (bridge.original_model, bridge):
        for name, module in root.named_modules():
            if id(module) not in seen:
                seen.add(id(module))
                yield name or type(module).__name__, module


def _hook_point_name(module: nn.Module) -> str | None:
    from transformer_lens.hook_points import HookPoint

    return module.name if isinstance(module, HookPoint) else None


def _of_a_library(hook: Callable[..., Any]) -> bool:
    return f"{_plain(hook).__module__}.".startswith(_LIBRARIES)


def _function_name(hook: Callable[..., Any]) -> str:
    plain = _plain(hook)
    return str(getattr(plain, "__qualname__", type(plain).__qualname__))


def _plain(hook: Any) -> Any:
    while isinstance(hook, partial):
        hook = hook.func
    return hook
