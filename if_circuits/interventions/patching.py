"""Patching: the residual stream of a token becomes that of another run, the donor.

A run is one prompt with the response that follows it. Tokens of the two runs are paired by their distance
from the end of the prompt: the prompts' last tokens, the tokens before them, the first generated tokens,
the second ones. Prompts and responses may differ in length; a token without a counterpart in the donor's
run is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from if_circuits.errors import InputError
from if_circuits.inputs import as_number
from if_circuits.interventions.operations import Transform
from if_circuits.interventions.scope import Window
from if_circuits.interventions.subspace import Subspace

Given: TypeAlias = Callable[
    [Window], tuple[Bool[Tensor, "batch length"], Float[Tensor, "batch length d_model"]]
]
"""Of a pass's tokens, which have a counterpart in the donor's run, and what the residual stream is there."""
Move: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Receiving and donated activations [..., d_model] to what takes the receiving ones' place."""


@dataclass(frozen=True, eq=False, repr=False)
class Donor:
    """The residual stream of one or several runs, as `activations.donors.record_donor` found it."""

    activations: Mapping[int, Float[Tensor, "runs length d_model"]]
    """By layer; each run begins at 0 and is padded at its end."""
    prompt_lengths: Int[Tensor, " runs"]
    lengths: Int[Tensor, " runs"]
    """Tokens of each run, prompt and response together."""
    name: str
    """What the runs stand for."""

    @property
    def n_runs(self) -> int:
        """The number of runs: one for all prompts, or one for each prompt."""
        return len(self.lengths)

    @property
    def d_model(self) -> int:
        """The width of the residual stream."""
        return next(iter(self.activations.values())).shape[-1]

    def at(self, layer: int, device: torch.device) -> Given:
        """The donor's residual stream at a layer, token by token of whatever pass is running.

        Raises InputError for a layer that was not recorded.
        """
        if layer not in self.activations:
            raise InputError(
                f"donor {self.name!r} has layers {', '.join(map(str, self.activations))}, not {layer}: "
                "name it in record_donor"
            )
        source = self.activations[layer].to(device)
        prompt_lengths, lengths = self.prompt_lengths.to(device), self.lengths.to(device)

        def given(
            window: Window,
        ) -> tuple[Bool[Tensor, "batch length"], Float[Tensor, "batch length d_model"]]:
            run = self._runs(window)[:, None]
            place = window.positions - window.prompt_lengths[:, None] + prompt_lengths[run]
            there = (window.positions >= 0) & (place >= 0) & (place < lengths[run])
            return there, source[run, place.clamp(0, source.shape[1] - 1)]

        return given

    def _runs(self, window: Window) -> Int[Tensor, " batch"]:
        if self.n_runs == 1:
            return torch.zeros_like(window.prompts)
        if int(window.prompts.max()) >= self.n_runs:
            raise InputError(
                f"donor {self.name!r} has {self.n_runs} runs, and there is a prompt number "
                f"{int(window.prompts.max()) + 1}; give it one run for all prompts, or one for each"
            )
        return window.prompts

    def __repr__(self) -> str:
        return f"{self.name}, {self.n_runs} run{'s' * (self.n_runs > 1)}"


@dataclass(frozen=True, eq=False, repr=False)
class PatchFrom:
    """x + strength (donor - x) P: the component in the subspace becomes the donor's; without a subspace, all
    of x.

    A donor of one run serves every row. Of a donor of several, run i serves prompt i of what is generated, or
    row i of a batch that you run yourself.

    Raises:
        InputError: For a subspace of another width, and a strength that is not finite.

    Example:
        >>> import if_circuits as ifc
        >>> model = ifc.load_model("if-tiny")
        >>> rows = ifc.respond(model, "Write a short note about the river.", temperature=0)
        >>> ifc.Intervention(ifc.PatchFrom(ifc.record_donor(model, rows, layers=3, name="river")), layers=3)
        PatchFrom(river, 1 run; all) at 3; generated
    """

    donor: Donor
    subspace: Subspace | None = None
    strength: float = 1.0
    """1 sets the component to the donor's, 0 leaves it, 2 goes as far again beyond the donor's."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "strength", as_number(self.strength, "strength"))
        if self.subspace is not None and len(self.subspace.mean) != self.donor.d_model:
            raise InputError(
                f"subspace {self.subspace.name!r} has d = {len(self.subspace.mean)}, "
                f"donor {self.donor.name!r} d_model = {self.donor.d_model}"
            )

    @property
    def d_model(self) -> int:
        """The width of residual stream that it is made for."""
        return self.donor.d_model

    def transform(self, layer: int, device: torch.device) -> Transform:
        """The operation at a layer, its arrays laid out on the device.

        Raises InputError for a layer that was not recorded.
        """
        return _patched(
            self.donor.at(layer, device), move_towards(self.subspace, self.strength, device=device)
        )

    def __repr__(self) -> str:
        what = "all" if self.subspace is None else f"{self.subspace.name}, rank {self.subspace.rank}"
        strength = "" if self.strength == 1 else f", strength={self.strength:g}"
        return f"PatchFrom({self.donor}; {what}{strength})"


@dataclass(frozen=True, eq=False, repr=False)
class Placebo:
    """Moves every token exactly as far as a patch would, along random directions.

    What it does to a model is what displacement of that size does. Its subspace has the patch's rank; a patch
    of the whole residual stream is matched along one direction, since a random subspace of full rank would be
    the patch itself.

    Example:
        >>> import if_circuits as ifc
        >>> model = ifc.load_model("if-tiny")
        >>> rows = ifc.respond(model, "Write a short note about the river.", temperature=0)
        >>> patch = ifc.PatchFrom(ifc.record_donor(model, rows, layers=3, name="river"))
        >>> ifc.Intervention(Placebo(patch, seed=1), layers=3)
        Placebo(PatchFrom(river, 1 run; all), seed=1) at 3; generated
    """

    patch: PatchFrom
    seed: int = 0

    @property
    def d_model(self) -> int:
        """The width of residual stream that it is made for."""
        return self.patch.d_model

    def transform(self, layer: int, device: torch.device) -> Transform:
        """The operation at a layer, its arrays laid out on the device."""
        patch = self.patch
        aside = move_aside(
            patch.subspace, patch.strength, d_model=self.d_model, layer=layer, seed=self.seed, device=device
        )
        return _patched(patch.donor.at(layer, device), aside)

    def __repr__(self) -> str:
        return f"Placebo({self.patch}, seed={self.seed})"


def move_towards(subspace: Subspace | None, strength: float, *, device: torch.device) -> Move:
    """x + strength (donated - x) P; without a subspace and at strength 1, the donated numbers themselves."""
    from transformer_lens.tools.analysis.interchange import SubspaceInterchange

    if subspace is None:
        if strength == 1:
            return lambda x, donated: donated.to(x.dtype)
        return lambda x, donated: (x.float() + strength * (donated.float() - x.float())).to(x.dtype)
    change = SubspaceInterchange(_columns(subspace, device), strength)
    return lambda x, donated: change(x.float(), donated.float()).to(x.dtype)


def move_aside(
    subspace: Subspace | None,
    strength: float,
    *,
    d_model: int,
    layer: int,
    seed: int,
    device: torch.device,
) -> Move:
    """As far as `move_towards` goes, along random directions: those of a layer and a seed are the same."""
    from transformer_lens.tools.analysis.interchange import (
        NormMatchedPlacebo,
        SubspaceInterchange,
        random_basis,
    )

    own = torch.eye(d_model, device=device) if subspace is None else _columns(subspace, device)
    # Other numbers at each layer: the same direction all the way up would not be a random one.
    aside = random_basis(d_model, 1 if subspace is None else subspace.rank, seed=seed + 1000 * (layer + 1))
    change = NormMatchedPlacebo(SubspaceInterchange(own, strength), aside)
    return lambda x, donated: change(x.float(), donated.float()).to(x.dtype)


def _columns(subspace: Subspace, device: torch.device) -> Float[Tensor, "d_model k"]:
    return torch.tensor(subspace.basis.T, dtype=torch.float32, device=device)


def _patched(given: Given, move: Move) -> Transform:
    def patch(
        x: Float[Tensor, "batch length d_model"], window: Window
    ) -> Float[Tensor, "batch length d_model"]:
        there, donated = given(window)
        return torch.where(there[..., None], move(x, donated), x)

    return patch
