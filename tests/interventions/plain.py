"""The same interventions by other means: a plain Hugging Face model, a forward hook, one prompt, no cache."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from if_circuits.interventions.scope import Scope
from if_circuits.models.layers import EMBED
from if_circuits.models.loading import LoadedModel
from tests.checkpoints import load_plain

Change = Callable[[np.ndarray, int], np.ndarray]
"""The residual stream [length, d_model] of a sequence, and the length of its prompt, to another one."""


def by_plain_hook(
    model: LoadedModel, prompt: list[int], n_new: int, *, layer: int, scope: Scope, change: Change
) -> list[int]:
    """Greedy text under `change`, made at the layer to the tokens of the scope."""
    plain = _plain(model.name)

    def changed(x: Tensor) -> Tensor:
        keep = [not touched(scope, position, len(prompt)) for position in range(x.shape[1])]
        return torch.where(
            torch.tensor(keep)[:, None],
            x,
            torch.from_numpy(change(x[0].double().numpy(), len(prompt))).float(),
        )

    def before(_module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (changed(args[0]), *args[1:])

    def after(_module: Any, _args: Any, out: Any) -> Any:
        return (changed(out[0]), *out[1:]) if isinstance(out, tuple) else changed(out)

    block = plain.model.layers[max(layer, 0)]
    hook = block.register_forward_pre_hook(before) if layer == EMBED else block.register_forward_hook(after)
    ids = list(prompt)
    with torch.no_grad():
        for _ in range(n_new):
            ids.append(int(plain(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
            if ids[-1] in model.chat.eos_ids:
                break
    hook.remove()
    return ids[len(prompt) :]


def touched(scope: Scope, position: int, prompt_length: int) -> bool:
    """The documented meaning of a scope, for one token."""
    chosen = (scope.prompt and position < prompt_length) or (
        scope.generated and position >= prompt_length - 1
    )
    start, stop = scope.positions or (0, position + 1)
    return bool(chosen and start <= position < stop)


@cache
def _plain(name: str) -> Any:
    return load_plain(name)
