"""Leading eigenvectors of a Gram matrix, and the preconditioners that they give the Newton steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

SMALL = 256
LEADING = 64
Precision = type[np.float32] | type[np.float64]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Leading eigenvectors and eigenvalues of a positive semi-definite matrix, for preconditioners."""

    vectors: Float[np.ndarray, "k d"]
    values: Float[np.ndarray, " k"]
    rest: float
    """Mean of the other eigenvalues; 0 when there are none."""

    @classmethod
    def of(cls, Z: Float[np.ndarray, "n d"]) -> Spectrum:
        """Of Z^T Z: all of it if that is small, and the leading part otherwise.

        The leading part comes from two rounds of subspace iteration (Halko, Martinsson and Tropp 2011,
        algorithm 4.4): approximate, which costs a preconditioner iterations and never accuracy.
        """
        if Z.shape[1] <= SMALL:
            return cls.of_gram(Z.T @ Z)
        trace = float(np.einsum("nd,nd->", Z, Z))
        return cls._leading(lambda Q: Z.T @ (Z @ Q), Z.dtype, Z.shape[1], min(Z.shape), trace)

    @classmethod
    def of_gram(cls, gram: Float[np.ndarray, "d d"]) -> Spectrum:
        """Of a Gram matrix itself, as `of`."""
        if len(gram) <= SMALL:
            values, vectors = np.linalg.eigh(gram)
            return cls(np.ascontiguousarray(vectors.T), np.maximum(values, 0.0), rest=0.0)
        return cls._leading(lambda Q: gram @ Q, gram.dtype, len(gram), len(gram), float(np.trace(gram)))

    @classmethod
    def _leading(
        cls,
        product: Callable[[Float[np.ndarray, "d k"]], Float[np.ndarray, "d k"]],
        dtype: np.dtype[Any],
        d: int,
        rank: int,
        trace: float,
    ) -> Spectrum:
        k = min(rank, LEADING)
        Q = np.random.default_rng(0).standard_normal((d, k)).astype(dtype)
        for _ in range(2):
            Q = np.linalg.qr(product(Q))[0]
        values, rotation = np.linalg.eigh(Q.T @ product(Q))
        rest = max(trace - float(values.sum()), 0.0) / max(rank - k, 1)
        return cls((Q @ rotation).T.copy(), np.maximum(values, 0.0), rest)

    def astype(self, dtype: Precision) -> Spectrum:
        """In another precision."""
        vectors, values = (part.astype(dtype, copy=False) for part in (self.vectors, self.values))
        return Spectrum(vectors, values, self.rest)


@dataclass(frozen=True, eq=False)
class Gain:
    """How a preconditioner scales gradients: by `rest`, and more along each leading eigenvector."""

    leading: Float[np.ndarray, "m k"]
    rest: Float[np.ndarray, "m 1"]

    @classmethod
    def of(
        cls,
        spectrum: Spectrum,
        *,
        curvature: Float[np.ndarray, " m"],
        penalty: Float[np.ndarray, " m"],
    ) -> Gain:
        """The inverse of curvature * Z^T Z + penalty, with the unknown eigenvalues of Z^T Z all equal."""
        known = curvature[:, None] * spectrum.values
        # Without a penalty, null directions still need a positive preconditioner.
        least = np.maximum(penalty, 1e-6 * known.mean(axis=1))[:, None]
        rest = 1.0 / (least + curvature[:, None] * spectrum.rest)
        kind = spectrum.values.dtype
        return cls((1.0 / (known + least) - rest).astype(kind, copy=False), rest.astype(kind, copy=False))

    def take(self, rows: Bool[np.ndarray, " m"]) -> Gain:
        """Those of some of the problems."""
        return Gain(self.leading[rows], self.rest[rows])
