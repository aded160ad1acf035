"""Interventions in place: hooks on the residual stream, installed for a while and always removed.

The hooks return new tensors and never write into the model's. They stand before all others at their hook
point, so that whoever observes a layer sees what the layers above it see. Leaving the context, by an
exception too, removes these hooks and no others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import torch
from jaxtyping import Float
from torch import Tensor

from if_circuits.errors import InputError
from if_circuits.inputs import as_layers
from if_circuits.interventions.low_rank import HasUpdate, UpdatesByRow
from if_circuits.interventions.operations import Operation, Transform
from if_circuits.interventions.passes import PassReader
from if_circuits.interventions.scope import Scope
from if_circuits.models.layers import EMBED, hook_name, layer_label

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel

Hook: TypeAlias = Callable[..., Float[Tensor, "batch length d_model"]]
_Change: TypeAlias = Callable[[Float[Tensor, "batch length d_model"]], Float[Tensor, "batch length d_model"]]


@dataclass(frozen=True, repr=False)
class Intervention:
    """One operation at chosen layers and tokens.

    Args:
        operation: What is done to the residual stream, such as `ProjectOut`, `Add`, `Zero`, `MeanReplace`,
            `Erase` or `PatchFrom`.
        layers: A layer or several: -1 is `embed`, i the residual stream after block i.
        scope: The tokens that it touches; by default those that decide the response.

    Raises:
        InputError: For what is no operation, no layer or no scope.

    Example:
        >>> import numpy as np
        >>> import if_circuits as ifc
        >>> ifc.Intervention(ifc.Add(np.ones(128), 2.0, "formal"), layers=3)
        Add(formal, multiple=2) at 3; generated
    """

    operation: Operation
    layers: tuple[int, ...]
    """-1 is `embed`, i the stream after block i."""
    scope: Scope = Scope()

    def __post_init__(self) -> None:
        operation = cast(object, self.operation)
        if isinstance(operation, type) or not isinstance(operation, Operation):
            raise InputError(
                f"an intervention does an operation, such as ProjectOut(subspace), got {operation!r}; what "
                "`fit` gives has methods for it, such as `.ablate(layers=3)`"
            )
        if not isinstance(cast(object, self.scope), Scope):
            raise InputError(f"scope is {self.scope!r}; give a Scope, such as Scope(prompt=True)")
        object.__setattr__(self, "layers", as_layers(self.layers))

    @contextmanager
    def on(self, model: LoadedModel, *, prompt_lengths: Sequence[int] | None = None) -> Generator[None]:
        """This intervention's hooks on the model, around any code that runs it; see `intervene`."""
        with intervene(model, [self], prompt_lengths=prompt_lengths):
            yield

    def __repr__(self) -> str:
        return f"{self.operation} at {', '.join(map(layer_label, self.layers))}; {self.scope}"


def as_interventions(value: object, name: str = "interventions") -> tuple[Intervention, ...]:
    """One intervention or several, in their order; none for the intact model."""
    given = tuple(cast("Iterable[object]", value)) if isinstance(value, Iterable) else (value,)
    for each in given:
        if not isinstance(each, Intervention):
            raise InputError(
                f"{name} hold {each!r}; give an Intervention or a list of them, such as "
                "[Intervention(ProjectOut(subspace), layers=3)], and [] for the intact model"
            )
    return cast("tuple[Intervention, ...]", given)


@contextmanager
def intervene(
    model: LoadedModel,
    interventions: Intervention | Sequence[Intervention],
    *,
    prompt_lengths: Sequence[int] | None = None,
) -> Generator[None]:
    """Run the model with the interventions; at each layer they act in the order given.

    Works for whatever runs the model: a call of the bridge, its `generate` or Hugging Face's. The first
    pass, on an empty cache, is taken for the prompt; give `prompt_lengths` (tokens of each row's prompt,
    padding left out) where that pass holds the response too: in teacher forcing, or when decoding without
    a cache. Contexts can be nested: at a layer that both touch, the inner one acts first.

    What lies below a touched layer, its keys and values in the cache included, is as in the intact model;
    what lies above has read the changed stream and is cached so. See `Scope` for the tokens.

    Args:
        model: What `load_model` gave; hooks of your own on its bridge stay and see what the interventions
            leave.
        interventions: One or several; none leaves the model as it is.
        prompt_lengths: Tokens of each row's prompt, where the first pass holds more than the prompt.

    Raises:
        InputError: For layers that the model lacks and for operations of another width.

    Example:
        >>> import numpy as np
        >>> import if_circuits as ifc
        >>> model = ifc.load_model("if-tiny")
        >>> steer = ifc.Intervention(ifc.Add(np.ones(128), 2.0), layers=3)
        >>> ids = torch.tensor(model.chat.encode(["Write a short note about the river."]))
        >>> with ifc.intervene(model, steer):
        ...     logits = model.bridge(ids)
    """
    lengths = None if prompt_lengths is None else torch.tensor(list(prompt_lengths), device=model.device)
    with _installed(model, [as_interventions(interventions)], PassReader(lengths)):
        yield


@contextmanager
def intervene_by_row(
    model: LoadedModel, conditions: Sequence[Sequence[Intervention]]
) -> Generator[PassReader]:
    """Run the model with the interventions of several conditions, each on its own rows of the batch.

    Rows are assigned to prompts and conditions, by number, through the yielded reader: before the first pass,
    and again whenever the batch changes.
    """
    reader = PassReader()
    with _installed(model, conditions, reader):
        yield reader


@contextmanager
def _installed(
    model: LoadedModel, conditions: Sequence[Sequence[Intervention]], reader: PassReader
) -> Generator[None]:
    hooks = _hooks_by_layer(model, conditions, reader)
    with ExitStack() as stack:
        if hooks:
            watcher = model.hf.register_forward_pre_hook(reader.read, with_kwargs=True)
            stack.callback(watcher.remove)
        points: dict[str, Any] = model.bridge.hook_dict
        for layer, hook in hooks.items():
            point = points[hook_name(layer)]
            stack.callback(_remove, point, point.add_hook(hook, prepend=True))
        yield


def _remove(point: Any, handle: Any) -> None:
    handle.hook.remove()
    if handle in point.fwd_hooks:  # not after a `reset_hooks` of the bridge in between
        point.fwd_hooks.remove(handle)


@dataclass(frozen=True)
class _Step:
    """One intervention of one condition at one layer."""

    condition: int
    operation: Operation
    scope: Scope


def _hooks_by_layer(
    model: LoadedModel, conditions: Sequence[Sequence[Intervention]], reader: PassReader
) -> dict[int, Hook]:
    # The first intervention of every condition at a layer is its first turn, and so on.
    turns: dict[int, dict[int, list[_Step]]] = {}
    for condition, interventions in enumerate(conditions):
        met: Counter[int] = Counter()
        for intervention in interventions:
            _check(intervention, model)
            for layer in intervention.layers:
                step = _Step(condition, intervention.operation, intervention.scope)
                turns.setdefault(layer, {}).setdefault(met[layer], []).append(step)
                met[layer] += 1
    device = torch.device(model.device)
    return {
        layer: _make_hook(
            [_changes(steps, layer, len(conditions), device, reader) for _, steps in sorted(at_layer.items())]
        )
        for layer, at_layer in turns.items()
    }


def _make_hook(turns: Sequence[Sequence[_Change]]) -> Hook:
    def run(x: Float[Tensor, "batch length d_model"], hook: Any) -> Float[Tensor, "batch length d_model"]:
        del hook
        for turn in turns:
            for change in turn:
                x = change(x)
        return x

    return run


def _changes(
    steps: Sequence[_Step], layer: int, n_conditions: int, device: torch.device, reader: PassReader
) -> list[_Change]:
    """What one turn does: all steps of low rank together, by row, and each other step on its own rows."""
    together = [step for step in steps if isinstance(step.operation, HasUpdate)] if len(steps) > 1 else []
    alone = [step for step in steps if step not in together]
    changes = [_of_one(step, step.operation.transform(layer, device), reader) for step in alone]
    if together:
        changes.append(_of_many(together, n_conditions, device, reader))
    return changes


def _of_one(step: _Step, transform: Transform, reader: PassReader) -> _Change:
    def change(x: Float[Tensor, "batch length d_model"]) -> Float[Tensor, "batch length d_model"]:
        conditions, window = reader.conditions, reader.window
        if conditions is None:
            return torch.where(step.scope.mask(window)[..., None], transform(x, window), x)
        rows = (conditions == step.condition).nonzero().flatten()
        if not len(rows):
            return x
        part, window = x[rows], window.take(rows)
        part = torch.where(step.scope.mask(window)[..., None], transform(part, window), part)
        return x.index_copy(0, rows, part)

    return change


def _of_many(steps: Sequence[_Step], n_conditions: int, device: torch.device, reader: PassReader) -> _Change:
    updates = UpdatesByRow([cast("HasUpdate", step.operation).update() for step in steps], device)
    scopes = list(dict.fromkeys(step.scope for step in steps))
    # Of a condition: the number of its update and of its scope; the scope after the last touches nothing.
    update_of = torch.zeros(n_conditions, dtype=torch.long, device=device)
    scope_of = torch.full((n_conditions,), len(scopes), device=device)
    for number, step in enumerate(steps):
        update_of[step.condition], scope_of[step.condition] = number, scopes.index(step.scope)

    def change(x: Float[Tensor, "batch length d_model"]) -> Float[Tensor, "batch length d_model"]:
        conditions, window = reader.conditions, reader.window
        assert conditions is not None, "rows were assigned to no condition"
        scope = scope_of[conditions][:, None]
        touched = torch.zeros_like(window.positions, dtype=torch.bool)
        for number, each in enumerate(scopes):
            touched |= each.mask(window) & (scope == number)
        return torch.where(touched[..., None], updates(x, update_of[conditions]), x)

    return change


def _check(intervention: Intervention, model: LoadedModel) -> None:
    layers = intervention.layers
    if not layers or len(set(layers)) != len(layers) or not all(EMBED <= i < model.n_layers for i in layers):
        raise InputError(
            f"intervention {intervention} needs distinct layers from {EMBED} (embed) "
            f"to {model.n_layers - 1}, got {layers}"
        )
    if intervention.operation.d_model != model.d_model:
        raise InputError(
            f"intervention {intervention} is made for d_model = {intervention.operation.d_model}, "
            f"{model.name} has {model.d_model}"
        )
