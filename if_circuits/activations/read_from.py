"""Reading on from a layer: what lies below an intervention is the same each time, and is run once.

A first pass, untouched, keeps what chosen blocks give. A later pass over the same tokens takes that for what
the blocks up to there would give, and runs those above. Its numbers are those of the whole pass: the blocks
above get the same tensors.
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from jaxtyping import Int
from torch import Tensor

if TYPE_CHECKING:
    from torch import nn

    from if_circuits.models.loading import LoadedModel


class LowerBlocks:
    """What the blocks of a model gave in one pass."""

    def __init__(self, model: LoadedModel) -> None:
        self._blocks: list[Any] = list(model.bridge.blocks)
        self._forms: dict[int, Any] = {}
        """What the bridge's block gave, its first tensor left out where it is not kept."""
        self._kept: dict[int, Any] = {}
        """What the checkpoint's own block gave, before the bridge's hooks."""

    @contextmanager
    def kept(self, layers: Collection[int]) -> Generator[None]:
        """Keep what the blocks give in the pass that is run here; none of `layers` may be `embed`."""
        handles: list[Any] = []
        try:
            for i in range(max(layers, default=-1) + 1):
                handles.append(self._blocks[i].register_forward_hook(self._keeps_form(i)))
                if i in layers:
                    inner = self._blocks[i].original_component
                    handles.append(inner.register_forward_hook(self._keeps(i)))
            yield
        finally:
            for handle in handles:
                handle.remove()

    @contextmanager
    def passed_over(self, layer: int, rows: Int[Tensor, " batch"] | None = None) -> Generator[None]:
        """Take what was kept of the block for its output, and run none below; nothing changes at `embed`.

        The pass must be over the same tokens, or over these `rows` of them. Hooks at blocks below do not
        fire; those at the block's output do.
        """
        if layer not in self._kept:
            yield
            return
        output = _with_first(self._kept[layer], lambda kept: _of(kept, rows))
        with ExitStack() as stack:
            for i in range(layer):
                stack.enter_context(_run_as(self._blocks[i], _passing(self._forms[i])))
            inner = self._blocks[layer].original_component
            stack.enter_context(_run_as(inner, lambda *_, **__: output))
            yield

    def _keeps_form(self, i: int) -> Any:
        def hook(_module: object, _args: object, output: Any) -> None:
            self._forms[i] = _with_first(output, lambda _: None)

        return hook

    def _keeps(self, i: int) -> Any:
        def hook(_module: object, _args: object, output: Any) -> None:
            self._kept[i] = output

        return hook


def _passing(form: Any) -> Any:
    """A forward that gives its input back, in the form of a block's output."""

    def forward(*args: Any, **kwargs: Any) -> Any:
        stream = args[0] if args else kwargs["hidden_states"]
        return _with_first(form, lambda _: stream)

    return forward


@contextmanager
def _run_as(module: nn.Module, forward: Any) -> Generator[None]:
    """Run a module as another function; one of its own, as accelerate gives, returns at the end."""
    own = vars(module)  # a bridge's block hands attributes that are set on to what it wraps
    before = own.get("forward")
    own["forward"] = forward
    try:
        yield
    finally:
        if before is None:
            del own["forward"]
        else:
            own["forward"] = before


def _with_first(output: Any, change: Any) -> Any:
    """A block's output, a tensor or a tuple that begins with one, with that tensor changed."""
    return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)


def _of(kept: Tensor, rows: Int[Tensor, " batch"] | None) -> Tensor:
    return kept if rows is None else kept[rows.to(kept.device)]
