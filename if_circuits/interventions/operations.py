"""What an intervention does to the residual stream x of a token: frozen values that can be composed and
printed.

Those on a subspace with projector P move the coordinates c of x in it and leave the rest of x as it is.
All compute in float32 at least, whatever the model's precision. All are updates of low rank (`low_rank`), so
that the rows of a batch may each have their own. `PatchFrom` (`patching`) is one more operation, and none of
those.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, cast, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from if_circuits.errors import InputError
from if_circuits.input_arrays import as_array, as_vector
from if_circuits.inputs import as_number
from if_circuits.interventions.low_rank import LowRankUpdate
from if_circuits.interventions.scope import Window
from if_circuits.interventions.subspace import AffineErasure, Subspace

Transform: TypeAlias = Callable[
    [Float[Tensor, "batch length d_model"], Window], Float[Tensor, "batch length d_model"]
]
"""A new tensor from the residual stream of all tokens of a pass; the scope selects among them
afterwards.
"""


@runtime_checkable
class Operation(Protocol):
    """Something to do to the residual stream; instances are frozen values.

    One that has `update` as well (`low_rank.HasUpdate`) is done for all conditions of a batch together.
    """

    @property
    def d_model(self) -> int:
        """The width of residual stream that it is made for."""
        ...

    def transform(self, layer: int, device: torch.device) -> Transform:
        """The operation at a layer, its arrays laid out on the device."""
        ...


class _OfLowRank(ABC):
    """An operation that is one update of low rank, the same at every layer."""

    @abstractmethod
    def update(self) -> LowRankUpdate:
        """The operation as an update of low rank."""

    def transform(self, layer: int, device: torch.device) -> Transform:
        """The operation, the same at every layer, its arrays laid out on the device."""
        del layer
        right, goal, left = self.update().on(device)

        def change(
            x: Float[Tensor, "batch length d_model"], _: Window
        ) -> Float[Tensor, "batch length d_model"]:
            return (x - (x.float() @ right.T - goal) @ left).to(x.dtype)

        return change


@dataclass(frozen=True, eq=False, repr=False)
class ProjectOut(_OfLowRank):
    """x - alpha (x - mean) P: alpha = 1 removes the component, centred; alpha = 2 reflects it; 0 does
    nothing.

    The operator family of "Refusal Beyond a Single Direction" (arXiv 2606.13720), here centred. A vector or
    several, [d_model] or [k, d_model], stand for their span, centred on the origin.

    Raises:
        InputError: For what is no subspace, more leading directions than there are, and alpha not finite.

    Example:
        >>> import numpy as np
        >>> import if_circuits as ifc
        >>> ifc.ProjectOut(np.ones(128))
        ProjectOut(direction, rank 1, alpha=1)
    """

    subspace: Subspace
    alpha: float = 1.0
    leading: int | None = None
    """Only that many leading directions of the subspace; all by default."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "subspace", Subspace.of(self.subspace))
        object.__setattr__(self, "alpha", as_number(self.alpha, "alpha"))
        if self.leading is not None:
            self.subspace.leading(self.leading)

    @property
    def d_model(self) -> int:
        """The width of residual stream that it is made for."""
        return len(self.subspace.mean)

    def update(self) -> LowRankUpdate:
        """The operation as an update of low rank."""
        part = self.subspace if self.leading is None else self.subspace.leading(self.leading)
        return LowRankUpdate(part.basis, part.basis @ part.mean, self.alpha * part.basis)

    def __repr__(self) -> str:
        leading = "" if self.leading is None else f", leading={self.leading}"
        return f"ProjectOut({_describe(self.subspace)}, alpha={self.alpha:g}{leading})"


@dataclass(frozen=True, eq=False, repr=False)
class Zero(_OfLowRank):
    """x - x P: the component becomes zero, which is no typical value unless the stream is centred there.

    Example:
        >>> import numpy as np
        >>> import if_circuits as ifc
        >>> ifc.Intervention(ifc.Zero(np.ones(128)), layers=[2, 3])
        Zero(direction, rank 1) at 2, 3; generated
    """

    subspace: Subspace

    def __post_init__(self) -> None:
        object.__setattr__(self, "subspace", Subspace.of(self.subspace))

    @property
    def d_model(self) -> int:
        """The width of residual stream that it is made for."""
        return len(self.subspace.mean)

    def update(self) -> LowRankUpdate:
        """The operation as an update of low rank."""
        basis = self.subspace.basis
        return LowRankUpdate(basis, np.zeros(len(basis)), basis)

    def __repr__(self) -> str:
        return f"Zero({_describe(self.subspace)})"


@dataclass(frozen=True, eq=False, repr=False)
class MeanReplace(_OfLowRank):
    """x - (x - mean) P: the component becomes that of a given mean, such as the unconstrained prompts'.

    Raises:
        InputError: For a mean of another shape.

    Example:
        >>> import numpy as np
        >>> import if_circuits as ifc
        >>> ifc.MeanReplace(np.eye(128)[:2], mean=np.ones(128))
        MeanReplace(directions, rank 2)
    """

    subspace: Subspace
    mean: Float[np.ndarray, " d_model"]
    """Any point of the residual stream; only its component in the subspace counts."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "subspace", Subspace.of(self.subspace))
        object.__setattr__(self, "mean", as_vector(self.mean, "mean"))
        if self.mean.shape != self.subspace.mean.shape:
            raise InputError(
                f"the mean for subspace {self.subspace.name!r} needs shape {self.subspace.mean.shape}, "
                f"got {self.mean.shape}"
            )

    @property
    def d_model(self) -> int:
        """The width of residual stream that it is made for."""
        return len(self.mean)

    def update(self) -> LowRankUpdate:
        """The operation as an update of low rank."""
        basis = self.subspace.basis
        return LowRankUpdate(basis, basis @ self.mean, basis)

    def __repr__(self) -> str:
        return f"MeanReplace({_describe(self.subspace)})"


@dataclass(frozen=True, eq=False, repr=False)
class Erase(_OfLowRank):
    """x - alpha left (right (x - mean)): an oblique projection, such as LEACE fits.

    Example:
        >>> import numpy as np
        >>> import if_circuits as ifc
        >>> y = np.arange(40) % 2 == 0
        >>> X = np.random.default_rng(0).standard_normal((40, 8)) + y[:, None]
        >>> ifc.Erase(ifc.Leace.fit(X, y, groups=np.arange(40)))
        Erase(LEACE)
    """

    erasure: AffineErasure
    alpha: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(cast(object, self.erasure), AffineErasure):
            raise InputError(f"Erase does what LEACE fits, got {self.erasure!r}; ProjectOut takes subspaces")
        object.__setattr__(self, "alpha", as_number(self.alpha, "alpha"))

    @property
    def d_model(self) -> int:
        """The width of residual stream that it is made for."""
        return len(self.erasure.mean)

    def update(self) -> LowRankUpdate:
        """The operation as an update of low rank."""
        e = self.erasure
        return LowRankUpdate(e.right[None], np.array([e.right @ e.mean]), self.alpha * e.left[None])

    def __repr__(self) -> str:
        alpha = "" if self.alpha == 1 else f", alpha={self.alpha:g}"
        return f"Erase({self.erasure.name}{alpha})"


@dataclass(frozen=True, eq=False, repr=False)
class Add(_OfLowRank):
    """x + multiple * direction: steering. The direction is taken as it is, not normalised.

    A direction means what it was read from: see `steer` of what `fit` gives, which warns where one is used at
    other tokens than it was read at.

    Raises:
        InputError: For what is no finite vector, and a multiple that is not finite.

    Example:
        >>> import numpy as np
        >>> import if_circuits as ifc
        >>> X = 3 * np.random.default_rng(0).standard_normal((1000, 128))
        >>> ifc.Add.in_deviations(np.ones(128), X, multiple=2.0, name="formal")
        Add(formal in standard deviations, multiple=2)
    """

    direction: Float[np.ndarray, " d_model"]
    multiple: float
    name: str = "direction"
    """What the direction stands for."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "direction", as_vector(self.direction, self.name))
        object.__setattr__(self, "multiple", as_number(self.multiple, "multiple"))

    @classmethod
    def in_deviations(
        cls,
        direction: Float[np.ndarray, " d_model"],
        X: Float[np.ndarray, "n d_model"],
        *,
        multiple: float,
        name: str = "direction",
    ) -> Add:
        """Steering by a multiple of the standard deviation of the activations X along the direction, whose
        length does not matter.

        Rows of NaN in X are left out. Raises InputError for a direction of length 0, and for fewer than two
        rows.
        """
        direction = as_vector(direction, name)
        X = as_array(X, "X", shape="n d_model").astype(np.float64)
        rows = X[np.isfinite(X).all(axis=-1)]
        length = float(np.linalg.norm(direction))
        if len(rows) < 2 or not 0 < length < np.inf or direction.shape != rows.shape[1:]:
            raise InputError(
                f"{name!r} needs a direction [d_model] other than zero and two activations [n, d_model] or "
                f"more, got shapes {direction.shape} and {X.shape} with {len(rows)} rows without NaN"
            )
        unit = direction / length
        return cls(unit * (rows @ unit).std(ddof=1), multiple, f"{name} in standard deviations")

    @property
    def d_model(self) -> int:
        """The width of residual stream that it is made for."""
        return len(self.direction)

    def update(self) -> LowRankUpdate:
        """The operation as an update of low rank."""
        step = (self.multiple * self.direction)[None]
        return LowRankUpdate(np.zeros_like(step), np.ones(1), step)

    def __repr__(self) -> str:
        return f"Add({self.name}, multiple={self.multiple:g})"


def _describe(subspace: Subspace) -> str:
    return f"{subspace.name}, rank {subspace.rank}"
