"""What was fitted to activations and labels: where they were read, and what can be done with it in the model.

A direction means what it was read from. At a response's last token the label goes together with everything
else that tells a finished response from an unfinished one, so such a direction may mean "finished": adding it
while a model writes ends responses early. Each fitted value says where it was read, and warns when it is used
at other tokens. `Activations.along_response` gives activations to fit a direction on along the response.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.numpy import save_file

from if_circuits.errors import InputError
from if_circuits.input_arrays import as_vector
from if_circuits.inputs import as_number
from if_circuits.interventions.hooks import Intervention
from if_circuits.interventions.operations import Add, Erase, MeanReplace, Operation, ProjectOut, Zero
from if_circuits.interventions.scope import Scope
from if_circuits.interventions.subspace import AffineErasure, Subspace
from if_circuits.models.layers import layer_label

SAVED_FORMAT = "if_circuits direction 1"
"""What a file of a saved fit says of itself."""
_AT_THE_END = ("last", "eos")
"""Positions at which the label goes together with having finished."""


@dataclass(frozen=True, eq=False)
class ReadAt:
    """The activations that something was fitted to."""

    layer: int | None
    """None where only numbers were given."""
    position: str | None
    n: int
    n_groups: int
    step: Float[np.ndarray, " d_model"]
    """One standard deviation of the activations along the fitted direction, from violated towards satisfied;
    zero where the labels' means do not differ in it."""
    fingerprint: str = ""
    """Of the model; empty where only numbers were given."""
    tasks: tuple[str, ...] = ()
    """Tasks of the responses."""

    def __str__(self) -> str:
        rows = f"{self.n} rows of {self.n_groups} groups"
        return f"fitted to {rows}" if self.layer is None else f"read at {self.place}, {rows}"

    @property
    def place(self) -> str:
        """Layer and position in words."""
        return "" if self.layer is None else f"layer {layer_label(self.layer)}, {self.position}"


class Fitted:
    """What a fitted subspace and a fitted oblique projection can do in a model: each gives an `Intervention`.

    `layers` are by default the one at which the activations were read.
    """

    name: str
    mean: Float[np.ndarray, " d_model"]
    read_at: ReadAt | None

    def ablate(
        self, layers: int | Sequence[int] | None = None, *, alpha: float = 1.0, scope: Scope = Scope()
    ) -> Intervention:
        """Remove it: what the residual stream has of it becomes that of the mean of the fitted activations.

        Args:
            layers: -1 is `embed`, i the residual stream after block i.
            alpha: 1 removes, 2 reflects, 0 does nothing.
            scope: The tokens to touch.
        """
        return self._place(self._remove(alpha), layers, scope)

    def zero(self, layers: int | Sequence[int] | None = None, *, scope: Scope = Scope()) -> Intervention:
        """Set it to zero, which is no typical value unless the residual stream is centred there."""
        return self._place(self._zero(), layers, scope)

    def mean_replace(
        self,
        mean: Float[np.ndarray, " d_model"],
        layers: int | Sequence[int] | None = None,
        *,
        scope: Scope = Scope(),
    ) -> Intervention:
        """Set it to that of a given mean, such as `acts.at(...).X.mean(axis=0)` of unconstrained prompts."""
        return self._place(self._replace(as_vector(mean, "mean")), layers, scope)

    def steer(
        self, by: float, layers: int | Sequence[int] | None = None, *, scope: Scope = Scope()
    ) -> Intervention:
        """Add it, by so many standard deviations of the fitted activations, towards satisfied.

        What is added means what it was read from: the returned intervention says at which layer and position,
        and a direction from a response's end that is added at every generated token gives a warning.

        Raises:
            InputError: Where the fit has no direction from violated to satisfied.
        """
        if self.read_at is None or not self.read_at.step.any():
            raise InputError(
                f"{self.name!r} has no direction to steer along; fit it to activations and labels"
            )
        place = f", read at {self.read_at.place}" if self.read_at.place else ""
        what = f"{self.name}{place}; in standard deviations"
        operation = Add(self.read_at.step, as_number(by, "by"), what)
        return self._place(operation, layers, scope)

    def save(self, path: str | Path) -> None:
        """Write it as one safetensors file, with what it was fitted to; `ifc.load_direction` reads it.

        Raises InputError where the place cannot be written.
        """
        tensors = {name: np.ascontiguousarray(getattr(self, name)) for name in (*self._arrays(), "mean")}
        told: dict[str, object] = {}
        if self.read_at is not None:
            told = asdict(self.read_at)
            tensors["step"] = np.ascontiguousarray(told.pop("step"))
        metadata = {"format": SAVED_FORMAT, "name": self.name, "read_at": json.dumps(told)}
        try:
            save_file(tensors, path, metadata=metadata)
        except (OSError, SafetensorError) as error:
            raise InputError(f"cannot write {self.name!r} to {path}: {error}") from error

    def _place(self, operation: Operation, layers: int | Sequence[int] | None, scope: Scope) -> Intervention:
        read = self.read_at
        if layers is None and (read is None or read.layer is None):
            raise InputError(f"{self.name!r} was fitted to plain numbers; say at which layers to use it")
        if read is not None and read.position in _AT_THE_END and scope.generated:
            warnings.warn(
                f"{self.name!r} was read at {read.position!r} and is used at every generated token; there "
                f"it may mean 'finished'. Fit it to acts.along_response(layer={read.layer}) instead",
                stacklevel=3,
            )
        return Intervention(operation, (read.layer,) if layers is None and read else layers, scope)  # pyright: ignore[reportArgumentType]

    def _arrays(self) -> tuple[str, ...]:
        raise NotImplementedError

    def _remove(self, alpha: float) -> Operation:
        raise NotImplementedError

    def _zero(self) -> Operation:
        raise NotImplementedError

    def _replace(self, mean: Float[np.ndarray, " d_model"]) -> Operation:
        raise NotImplementedError

    def _whence(self) -> str:
        return "" if self.read_at is None else f", {self.read_at}"


@dataclass(frozen=True, eq=False, repr=False)
class FittedSubspace(Fitted, Subspace):
    """A subspace that was fitted to activations; see `Fitted` for what it can do in a model."""

    read_at: ReadAt | None = field(default=None, kw_only=True)

    def _arrays(self) -> tuple[str, ...]:
        return ("basis",)

    def _remove(self, alpha: float) -> Operation:
        return ProjectOut(self, alpha)

    def _zero(self) -> Operation:
        return Zero(self)

    def _replace(self, mean: Float[np.ndarray, " d_model"]) -> Operation:
        return MeanReplace(self, mean)

    def __repr__(self) -> str:
        return f"{self.name}: rank {self.rank} of {len(self.mean)}{self._whence()}"


@dataclass(frozen=True, eq=False, repr=False)
class FittedErasure(Fitted, AffineErasure):
    """An oblique projection that was fitted to activations; see `Fitted` for what it can do in a model."""

    read_at: ReadAt | None = field(default=None, kw_only=True)

    def _arrays(self) -> tuple[str, ...]:
        return "left", "right"

    def _remove(self, alpha: float) -> Operation:
        return Erase(self, alpha)

    def _zero(self) -> Operation:
        return Erase(replace(self, mean=np.zeros_like(self.mean)))

    def _replace(self, mean: Float[np.ndarray, " d_model"]) -> Operation:
        return Erase(replace(self, mean=mean))

    def __repr__(self) -> str:
        return f"{self.name}: oblique projection in {len(self.mean)} dimensions{self._whence()}"
