"""An interchange: what of one run is put into another, at which layer and tokens, and how far it goes.

Two prompts about one base query are read with the same text behind them. Prompts differ in length, and only
what they share has a counterpart:

- `prompt_end`: the last token of one prompt takes from the last token of the other. With a chat template both
  are the same token, the one before the response.
- `response`: token k of the response takes from token k of the same response in the other run.
- `all`: both of these.

Other tokens of the prompts have no counterpart and stay as they are. Layers above the interchange still
attend to them: what they say can be read again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import pandas as pd
import torch

from if_circuits.errors import InputError
from if_circuits.inputs import as_count, as_layers, as_names, as_number
from if_circuits.interventions.hooks import Intervention
from if_circuits.interventions.patching import Donor, Move, PatchFrom, Placebo, move_aside, move_towards
from if_circuits.interventions.scope import Scope
from if_circuits.interventions.subspace import Subspace

Direction = Literal["takes", "gives"]
"""takes: the prompt that asks receives from the other run, and may lose the constraint. gives: the other
prompt receives from the run that asks, and may gain it."""
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)

PLACES: Mapping[str, Scope] = {
    "prompt_end": Scope(offsets=(0, 1)),
    "response": Scope(offsets=(1, None)),
    "all": Scope(offsets=(0, None)),
}
"""The tokens of each position."""


@dataclass(frozen=True)
class Interchange:
    """What is exchanged, where, how far, and whether it is the placebo of it.

    Raises:
        InputError: For an unknown position or direction, a dose that is not finite, and what is no layer.

    Example:
        >>> Interchange(3, position="prompt_end").record()["subspace"]
        'residual'
    """

    layer: int
    """-1 is `embed`, i the residual stream after block i."""
    position: str = "all"
    direction: Direction = "takes"
    subspace: Subspace | None = None
    """None is the whole residual stream."""
    dose: float = 1.0
    """1 sets the component to the other run's; 0 changes nothing; 2 goes as far again."""
    placebo: int | None = None
    """Number of a random displacement of the same length; None for the interchange itself."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "layer", as_layers(self.layer)[0])
        object.__setattr__(self, "dose", as_number(self.dose, "dose"))
        for name, known in (("position", tuple(PLACES)), ("direction", DIRECTIONS)):
            if getattr(self, name) not in known:
                raise InputError(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}")

    def intervention(self, donor: Donor) -> Intervention:
        """The interchange with recorded runs, one for each row or prompt."""
        patch = PatchFrom(donor, self.subspace, self.dose)
        operation = patch if self.placebo is None else Placebo(patch, seed=self.placebo)
        return Intervention(operation, (self.layer,), PLACES[self.position])

    def move(self, d_model: int, device: torch.device) -> Move:
        """The interchange of activations at hand: receiving and donated, to what takes their place."""
        if self.placebo is None:
            return move_towards(self.subspace, self.dose, device=device)
        return move_aside(
            self.subspace, self.dose, d_model=d_model, layer=self.layer, seed=self.placebo, device=device
        )

    def columns(self, n: int) -> dict[str, Any]:
        """The columns that name it in a table of so many rows, with the index from 0."""
        whole = ("rank", "placebo")  # or missing
        return {
            name: pd.Series([value] * n, dtype="Int64") if name in whole else value
            for name, value in self.record().items()
        }

    def record(self) -> dict[str, object]:
        """What names it."""
        return {
            "direction": self.direction,
            "layer": self.layer,
            "position": self.position,
            "subspace": "residual" if self.subspace is None else self.subspace.name,
            "rank": None if self.subspace is None else self.subspace.rank,
            "dose": self.dose,
            "placebo": self.placebo,
        }


def interchanges(
    layers: int | Sequence[int],
    *,
    positions: str | Sequence[str] = tuple(PLACES),
    directions: str | Sequence[str] = DIRECTIONS,
    subspace: Subspace | None = None,
    doses: float | Sequence[float] = 1.0,
    placebos: int = 0,
) -> list[Interchange]:
    """Every combination of what is given, each interchange followed by its placebos."""
    found = [
        Interchange(layer, position, direction, subspace, dose)  # pyright: ignore[reportArgumentType]
        for direction in as_names(directions, "directions")
        for layer in as_layers(layers)
        for position in as_names(positions, "positions")
        for dose in (doses if isinstance(doses, Sequence) else (doses,))
    ]
    draws = (None, *range(as_count(placebos, "placebos", least=0)))
    return [replace(each, placebo=draw) for each in found for draw in draws]
