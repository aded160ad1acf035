"""Linear subspaces of activation space, and oblique projections: the values that erasure methods fit and
interventions remove.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from jaxtyping import Float
from safetensors import safe_open
from safetensors.numpy import save_file

from if_circuits.errors import InputError
from if_circuits.input_arrays import as_array, as_vector

ORTHONORMAL_TOLERANCE = 1e-8


@dataclass(frozen=True, eq=False, repr=False)
class Subspace:
    """A linear subspace of activation space and the point it is centred on.

    `remove` takes activations to the nearest point of the affine subspace through `mean` that is
    orthogonal to the basis, so the mean of the data that fitted the subspace stays where it is.

    Raises:
        InputError: For rows that are not orthonormal, and shapes that do not agree.

    Example:
        >>> import numpy as np
        >>> import if_circuits as ifc
        >>> plane = ifc.Subspace.orthonormalise(np.array([[2.0, 0, 0], [1, 1, 0]]), name="plane")
        >>> plane, plane.remove(np.array([3.0, 4, 5])).tolist()
        (Subspace(plane: rank 2, d 3), [0.0, 0.0, 5.0])
    """

    basis: Float[np.ndarray, "k d"]
    """Orthonormal rows in float64, most important first."""
    mean: Float[np.ndarray, " d"]
    """The centre: what the removed coordinates are set to."""
    name: str
    """What the subspace stands for; labels tables and figures."""

    def __post_init__(self) -> None:
        basis = np.array(self.basis, dtype=np.float64)
        mean = np.array(self.mean, dtype=np.float64)
        if basis.ndim != 2 or mean.shape != (basis.shape[1],):
            raise InputError(
                f"subspace {self.name!r} needs a basis of shape [k, d] and a mean of shape [d], "
                f"got {basis.shape} and {mean.shape}"
            )
        error = float(np.abs(basis @ basis.T - np.eye(len(basis))).max(initial=0.0))
        if not (error < ORTHONORMAL_TOLERANCE and np.isfinite(mean).all()):
            raise InputError(
                f"subspace {self.name!r} needs orthonormal finite rows, these miss by {error:.1e}; "
                "use Subspace.orthonormalise for arbitrary directions"
            )
        basis.flags.writeable = False
        mean.flags.writeable = False
        object.__setattr__(self, "basis", basis)
        object.__setattr__(self, "mean", mean)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name}: rank {self.rank}, d {len(self.mean)})"

    @classmethod
    def of(cls, value: object) -> Self:
        """A subspace as it is; of one vector or several, [d] or [k, d], their span, centred on the origin.

        Raises InputError for an oblique projection, and for vectors that span nothing.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, AffineErasure):
            raise InputError(
                f"{value.name!r} is an oblique projection; remove it with Erase, or with its `.ablate`"
            )
        if getattr(value, "ndim", 1) == 2:
            found = cls.orthonormalise(as_array(value, "directions", shape="k d_model"), name="directions")
        else:
            found = cls.orthonormalise(as_vector(value, "direction")[None], name="direction")
        if found.rank == 0:
            raise InputError("a direction of length 0 spans nothing; give one that is not zero")
        return found

    @classmethod
    def orthonormalise(
        cls,
        directions: Float[np.ndarray, "m d"],
        *,
        name: str,
        mean: Float[np.ndarray, " d"] | None = None,
        tolerance: float = 1e-10,
    ) -> Self:
        """The span of the directions, by Gram-Schmidt in their order, twice for float64 accuracy.

        The first j rows of the basis span the first j directions. A direction with less than the
        share `tolerance` of its length outside its predecessors' span adds no row; zero directions
        neither. Without `mean` the centre is the origin.
        """
        directions = np.asarray(directions, dtype=np.float64)
        if directions.ndim != 2 or not np.isfinite(directions).all():
            raise InputError(
                f"subspace {name!r} needs finite directions of shape [m, d], got {directions.shape}"
            )
        d = directions.shape[1]
        basis = np.zeros((min(directions.shape), d))
        rank = 0
        for direction in directions:
            length = np.linalg.norm(direction)
            if rank == d or length == 0.0:
                continue
            rest = direction / length
            for _ in range(2):
                rest = rest - basis[:rank].T @ (basis[:rank] @ rest)
                outside = np.linalg.norm(rest)
                if outside <= tolerance:
                    break
                rest = rest / outside
            else:
                basis[rank] = rest
                rank += 1
        return cls(basis=basis[:rank], mean=np.zeros(d) if mean is None else mean, name=name)

    @property
    def rank(self) -> int:
        """The number of dimensions."""
        return len(self.basis)

    @property
    def projector(self) -> Float[np.ndarray, "d d"]:
        """P, the orthogonal projection onto the subspace: P = P^T = P^2."""
        return self.basis.T @ self.basis

    def leading(self, k: int) -> Subspace:
        """The subspace of the k most important directions."""
        if not 0 <= k <= self.rank:
            raise InputError(
                f"subspace {self.name!r} has rank {self.rank}, so it has no {k} leading directions"
            )
        return Subspace(basis=self.basis[:k], mean=self.mean, name=self.name)

    def coordinates(self, X: Float[np.ndarray, "*rows d"]) -> Float[np.ndarray, "*rows k"]:
        """(X - mean) in the basis, float64."""
        X = np.asarray(X)
        if X.shape[-1:] != self.mean.shape:
            raise InputError(
                f"subspace {self.name!r} has d = {len(self.mean)}, the activations have shape {X.shape}"
            )
        return X @ self.basis.T - self.basis @ self.mean

    def remove(
        self, X: Float[np.ndarray, "*rows d"], *, alpha: float = 1.0, leading: int | None = None
    ) -> Float[np.ndarray, "*rows d"]:
        """X - alpha (X - mean) P, in float64; alpha = 1 projects, alpha = 2 reflects.

        `leading` restricts P to that many leading directions. The operator family is that of
        "Refusal Beyond a Single Direction" (arXiv 2606.13720), here centred.
        """
        subspace = self if leading is None else self.leading(leading)
        return np.asarray(X) - alpha * (subspace.coordinates(X) @ subspace.basis)

    def save(self, path: Path) -> None:
        """Write the subspace as one safetensors file."""
        save_file({"basis": self.basis.copy(), "mean": self.mean.copy()}, path, metadata={"name": self.name})

    @staticmethod
    def load(path: Path) -> Subspace:
        """Read what `save` wrote; of a richer kind of subspace, the subspace alone."""
        with safe_open(path, framework="numpy") as file:
            basis, mean = file.get_tensor("basis"), file.get_tensor("mean")
            return Subspace(basis=basis, mean=mean, name=file.metadata()["name"])


@dataclass(frozen=True, eq=False, repr=False)
class AffineErasure:
    """x - left (right (x - mean)): a rank-one projection, oblique in general (right left = 1)."""

    left: Float[np.ndarray, " d"]
    """What is taken away, a column: the cross-covariance of activations and label, scaled."""
    right: Float[np.ndarray, " d"]
    """What is read, a row: the least-squares predictor of the label, scaled."""
    mean: Float[np.ndarray, " d"]
    name: str

    def __repr__(self) -> str:
        return f"AffineErasure({self.name}: d {len(self.mean)})"

    def remove(self, X: Float[np.ndarray, "*rows d"]) -> Float[np.ndarray, "*rows d"]:
        """The activations X without the concept, in float64."""
        X = np.asarray(X)
        if X.shape[-1:] != self.mean.shape:
            raise InputError(f"erasure {self.name!r} has d = {len(self.mean)}, the activations {X.shape}")
        return X - ((X - self.mean) @ self.right)[..., None] * self.left
