"""Random subspaces: what an ablation must beat, uniform or matched in the variance that they remove."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped

from if_circuits.erasure.base import erasure_method
from if_circuits.erasure.fits import fits
from if_circuits.erasure.labelled import checked
from if_circuits.errors import InputError
from if_circuits.interventions.fitted import FittedSubspace
from if_circuits.interventions.subspace import Subspace
from if_circuits.threads import one_thread

STEEPEST = 40.0
"""Largest exponent of the eigenvalues that is tried in matching a variance."""


@erasure_method("random")
@dataclass(frozen=True)
class RandomDirections:
    """Directions that know nothing of the label: what a method that is chosen by name must beat."""

    rank: int = 1
    name: str = "random"

    @fits
    def fit(
        self,
        X: Float[np.ndarray, "n d"],
        y: Bool[np.ndarray, " n"],
        *,
        groups: Shaped[np.ndarray, " n"],  # noqa: ARG002  (of the protocol; nothing is held out here)
        seed: int,
    ) -> FittedSubspace:
        """A uniform subspace, centred on the mean of X; other labels get another one."""
        X, y = checked(X, y, method=self.name)
        seeds = np.random.SeedSequence([seed, zlib.crc32(y.tobytes())])
        return random_subspace(
            self.rank, mean=X.mean(axis=0), seed=int(seeds.generate_state(1)[0]), name=self.name
        )


def random_subspace(
    rank: int, *, mean: Float[np.ndarray, " d"], seed: int, name: str = "random"
) -> FittedSubspace:
    """A uniformly distributed subspace: the QR factor of a Gaussian matrix, centred on `mean`.

    Example:
        >>> import numpy as np
        >>> import if_circuits as ifc
        >>> control = ifc.random_subspace(2, mean=np.zeros(128), seed=0)
        >>> control, control.ablate(layers=3)
        (random: rank 2 of 128, ProjectOut(random, rank 2, alpha=1) at 3; generated)
    """
    _check_rank(rank, len(mean))
    gaussian = np.random.default_rng(seed).standard_normal((len(mean), rank))
    return FittedSubspace(basis=np.linalg.qr(gaussian)[0].T, mean=mean, name=name)


def captured_variance(subspace: Subspace, X: Float[np.ndarray, "n d"]) -> float:
    """Variance of X about its own mean inside the subspace, summed over its dimensions (divisor n)."""
    return float(subspace.coordinates(X).var(axis=0).sum())


@one_thread
def variance_matched_subspaces(
    X: Float[np.ndarray, "n d"],
    *,
    rank: int,
    variance: float,
    n_subspaces: int,
    seed: int,
    tolerance: float = 1e-3,
    name: str = "variance-matched random",
) -> tuple[Subspace, ...]:
    """Random subspaces of a rank that capture a given variance of X, to the relative tolerance.

    Each is the span of `rank` Gaussian combinations of the principal directions of X, whose standard
    deviations are (eigenvalue)^(t/2). t = 0 is the uniform subspace; growing t tilts it towards the
    directions of large variance, falling t away from them. With the Gaussian numbers fixed, the
    captured variance is a continuous function of t, and bisection finds the t that gives `variance`. So
    the subspaces are random in everything but that number. Directions in which X does not vary (n < d)
    count as those of least variance. Raises InputError when no subspace of the rank captures as much.
    """
    X = np.asarray(X, dtype=np.float64)
    mean = X.mean(axis=0)
    values, vectors = np.linalg.eigh((X - mean).T @ (X - mean) / len(X))
    _check_rank(rank, len(values))
    least, most = float(values[:rank].sum()), float(values[-rank:].sum())
    if not least * (1 - tolerance) - 1e-12 * most <= variance <= most * (1 + tolerance):
        raise InputError(
            f"subspaces of rank {rank} capture between {least:.4g} and {most:.4g} of this variance, "
            f"not {variance:.4g}"
        )
    values = np.maximum(values, 1e-12 * values[-1])
    gaussian = np.random.default_rng(seed).standard_normal((n_subspaces, len(values), rank))
    bases = _tilted(gaussian, values, variance, tolerance)
    return tuple(Subspace(basis=basis.T @ vectors.T, mean=mean, name=name) for basis in bases)


def _tilted(
    gaussian: Float[np.ndarray, "n d k"], values: Float[np.ndarray, " d"], variance: float, tolerance: float
) -> Float[np.ndarray, "n d k"]:
    """Orthonormal columns in eigen-coordinates that capture the variance asked for, in every draw."""
    logs = np.log(values / values[-1])
    bases = np.empty_like(gaussian)
    low, high = np.full(len(gaussian), -STEEPEST), np.full(len(gaussian), STEEPEST)
    open_ = np.arange(len(gaussian))
    captured = np.full(0, np.nan)
    for _ in range(200):
        middle = 0.5 * (low[open_] + high[open_])
        bases[open_] = _bases_at(middle, gaussian[open_], logs)
        captured = np.square(bases[open_]).sum(axis=2) @ values
        missed = np.abs(captured - variance) > tolerance * variance
        open_, middle, captured = open_[missed], middle[missed], captured[missed]
        if not len(open_):
            return bases
        low[open_] = np.where(captured < variance, middle, low[open_])
        high[open_] = np.where(captured < variance, high[open_], middle)
    raise InputError(
        f"no tilt reaches the variance {variance:.4g} (it ended at {captured[0]:.4g}): it is too near the "
        "largest or the smallest that a subspace of this rank can capture"
    )


def _bases_at(
    tilts: Float[np.ndarray, " n"], gaussian: Float[np.ndarray, "n d k"], logs: Float[np.ndarray, " d"]
) -> Float[np.ndarray, "n d k"]:
    """Each draw's columns weighted by its tilt of the eigenvalues, orthonormalised."""
    exponents = 0.5 * tilts[:, None] * logs
    weights = np.exp(exponents - exponents.max(axis=1, keepdims=True))[..., None]
    # Rows in falling order of size, which keeps Householder QR accurate on rows of any size.
    order = np.argsort(-weights, axis=1)
    sorted_ = np.linalg.qr(np.take_along_axis(gaussian * weights, order, axis=1))[0]
    bases = np.empty_like(gaussian)
    np.put_along_axis(bases, order, sorted_, axis=1)
    return bases


def _check_rank(rank: int, d: int) -> None:
    if not 0 <= rank <= d:
        raise InputError(f"a subspace of {d} dimensions has a rank between 0 and {d}, got {rank}")
