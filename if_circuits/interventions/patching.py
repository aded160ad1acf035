"""Patching: the residual stream of a token becomes that of another run, the donor.

A run is one prompt with the response that follows it. Tokens of the two runs are paired by their distance
from the end of the prompt: the prompts' last tokens, the tokens before them, the first generated tokens,
the second ones. Prompts and responses may differ in length; a token without a counterpart in the donor's
run is left as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from if_circuits.errors import InputError
from if_circuits.interventions.operations import Transform
from if_circuits.interventions.scope import Window
from if_circuits.interventions.subspace import Subspace


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

    def __repr__(self) -> str:
        return f"{self.name}, {self.n_runs} run{'s' * (self.n_runs > 1)}"


@dataclass(frozen=True, eq=False, repr=False)
class PatchFrom:
    """x + (donor - x) P: the component in the subspace becomes the donor's; without a subspace, all of x.

    A donor of one run serves every row. Of a donor of several, run i serves prompt i of what is generated, or
    row i of a batch that you run yourself.

    Raises:
        InputError: For a subspace of another width.

    Example:
        >>> import if_circuits as ifc
        >>> model = ifc.load_model("if-tiny")
        >>> rows = ifc.respond(model, "Write a short note about the river.", temperature=0)
        >>> ifc.Intervention(ifc.PatchFrom(ifc.record_donor(model, rows, layers=3, name="river")), layers=3)
        PatchFrom(river, 1 run; all) at 3; generated
    """

    donor: Donor
    subspace: Subspace | None = None

    def __post_init__(self) -> None:
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
        donor = self.donor
        if layer not in donor.activations:
            raise InputError(
                f"donor {donor.name!r} has layers {', '.join(map(str, donor.activations))}, not {layer}: "
                "name it in record_donor"
            )
        source = donor.activations[layer].to(device)
        prompt_lengths, lengths = donor.prompt_lengths.to(device), donor.lengths.to(device)
        basis = None
        if self.subspace is not None:
            basis = torch.tensor(self.subspace.basis, dtype=torch.float32, device=device)

        def patch(
            x: Float[Tensor, "batch length d_model"], window: Window
        ) -> Float[Tensor, "batch length d_model"]:
            run = self._runs(window)[:, None]
            place = window.positions - window.prompt_lengths[:, None] + prompt_lengths[run]
            there = (window.positions >= 0) & (place >= 0) & (place < lengths[run])
            given = source[run, place.clamp(0, source.shape[1] - 1)]
            if basis is not None:
                change = (given.float() - x.float()) @ basis.T @ basis
                given = x.float() + change
            return torch.where(there[..., None], given.to(x.dtype), x)

        return patch

    def _runs(self, window: Window) -> Int[Tensor, " batch"]:
        if self.donor.n_runs == 1:
            return torch.zeros_like(window.prompts)
        if int(window.prompts.max()) >= self.donor.n_runs:
            raise InputError(
                f"donor {self.donor.name!r} has {self.donor.n_runs} runs, and there is a prompt number "
                f"{int(window.prompts.max()) + 1}; give it one run for all prompts, or one for each"
            )
        return window.prompts

    def __repr__(self) -> str:
        what = "all" if self.subspace is None else f"{self.subspace.name}, rank {self.subspace.rank}"
        return f"PatchFrom({self.donor}; {what})"
