"""Exact L2-regularised logistic regression: many labellings, row sets and penalties of one matrix at once.

The convention is scikit-learn's `make_pipeline(StandardScaler(), LogisticRegression(C=C))`, fitted to
each right-hand side's own training rows: C multiplies the sum of losses, the intercept is free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int

from if_circuits.errors import InputError
from if_circuits.probes.solver.batches import Matrix, Rule, solve_all
from if_circuits.threads import one_thread


@dataclass(frozen=True, eq=False)
class LogisticFits:
    """m fitted right-hand sides. Where a fit has a reason, read it: NaN weights, or not converged."""

    weight: Float[np.ndarray, "m d"]
    """In standardised units: scores are ((x - mean) / scale) . weight + bias."""
    bias: Float[np.ndarray, " m"]
    mean: Float[np.ndarray, "m d"]
    scale: Float[np.ndarray, "m d"]
    """Standard deviations on the training rows; 1, with weight 0, where a column is constant there."""
    C: Float[np.ndarray, " m"]
    gradient_norm: Float[np.ndarray, " m"]
    iterations: Int[np.ndarray, " m"]
    converged: Bool[np.ndarray, " m"]
    n: Int[np.ndarray, " m"]
    """Training rows (those of positive weight)."""
    prior: Float[np.ndarray, " m"]
    """Log-odds of the positive class in the training rows: the score of someone who sees no features."""
    reasons: tuple[str, ...]
    """Empty where all went well."""

    def scores(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n m"]:
        """Decision values in logits; NaN for rows with NaN and for fits that do not exist."""
        slope = self.weight / self.scale
        # Centring X first keeps the digits of activations whose mean is large. Float32 stays float32.
        X = np.asarray(X)
        kind = np.float32 if X.dtype == np.float32 else np.float64
        centre = np.nan_to_num(self.mean).mean(axis=0).astype(kind)
        offset = self.bias - np.einsum("md,md->m", self.mean - centre, slope)
        return ((X - centre) @ slope.T.astype(kind)).astype(np.float64) + offset

    def take(self, rows: Int[np.ndarray, " k"]) -> LogisticFits:
        """Some of the right-hand sides, in the order given."""
        arrays = (getattr(self, field.name)[rows] for field in fields(self)[:-1])
        return LogisticFits(*arrays, reasons=tuple(self.reasons[row] for row in rows))

    @classmethod
    def concatenate(cls, parts: Sequence[LogisticFits]) -> LogisticFits:
        """The right-hand sides of several calls, one after the other."""
        names = [field.name for field in fields(cls)[:-1]]
        arrays = (np.concatenate([getattr(part, name) for part in parts]) for name in names)
        return cls(*arrays, reasons=tuple(reason for part in parts for reason in part.reasons))


@one_thread
def fit_logistic(
    X: Float[np.ndarray, "n d"] | Matrix,
    labels: Bool[np.ndarray, "n m"],
    *,
    weights: Float[np.ndarray, "n m"] | Bool[np.ndarray, "n m"],
    C: Sequence[float] | Float[np.ndarray, " m"],
    standardise: bool = True,
    tolerance: float = 1e-4,
    max_iterations: int = 100,
) -> LogisticFits:
    """Fit m right-hand sides; column j uses labels[:, j], the rows where weights[:, j] > 0, and C[j].

    Weights multiply a row's loss and its part in the mean and scale, so an integer weight is a row
    repeated. Without `standardise` features are centred only, so the penalty is on their own scale.
    `tolerance` bounds the relative error of the weight vector. C = inf means no penalty. A column with
    one class missing is not fitted (NaN, with a reason). Rows without weight in all columns may hold
    NaN. Calls on one `Matrix` share what they compute of it. Raises InputError on shapes or values that
    cannot be used.
    """
    matrix = X if isinstance(X, Matrix) else Matrix(np.asarray(X))
    a, C = _checked(matrix.X, labels, weights, np.asarray(C, dtype=np.float64))
    used = a.any(axis=0)
    matrix = matrix if used.all() else Matrix(matrix.X[used])
    a, y = a[:, used], np.asarray(labels).T[:, used]
    m, d = len(C), matrix.X.shape[1]
    positive, total = np.einsum("mn,mn->m", a, y), a.sum(axis=1)
    possible = (positive > 0) & (positive < total)

    w, mean, scale = (np.full((m, d), np.nan) for _ in range(3))
    b, gradient_norm, prior = (np.full(m, np.nan) for _ in range(3))
    iterations = np.zeros(m, dtype=int)
    converged, separated = (np.zeros(m, dtype=bool) for _ in range(2))
    rule = Rule(standardise, tolerance, max_iterations)
    for part in solve_all(
        matrix, np.where(y, 1.0, -1.0), a, 1.0 / C, columns=np.flatnonzero(possible), rule=rule
    ):
        w[part.columns], b[part.columns] = part.w, part.b
        mean[part.columns], scale[part.columns] = part.mean, part.scale
        found = part.solution
        gradient_norm[part.columns], iterations[part.columns] = found.gradient_norm, found.iterations
        converged[part.columns], separated[part.columns] = found.converged, found.separated
    prior[possible] = np.log(positive[possible]) - np.log((total - positive)[possible])
    reasons = tuple(
        _reason(*facts, limit=max_iterations)
        for facts in zip(total, possible, converged, separated, strict=True)
    )
    n = (a > 0).sum(axis=1)
    return LogisticFits(w, b, mean, scale, C, gradient_norm, iterations, converged, n, prior, reasons)


def _reason(total: float, possible: bool, converged: bool, separated: bool, *, limit: int) -> str:
    if total == 0:
        return "not fitted: no training rows"
    if not possible:
        return "not fitted: one class only in the training rows"
    if separated:
        return "no finite optimum: the classes are separated and there is no penalty"
    return "" if converged else f"not converged after {limit} iterations"


def _checked(
    X: Float[np.ndarray, "n d"],
    labels: Bool[np.ndarray, "n m"],
    weights: Float[np.ndarray, "n m"] | Bool[np.ndarray, "n m"],
    C: Float[np.ndarray, " m"],
) -> tuple[Float[np.ndarray, "m n"], Float[np.ndarray, " m"]]:
    shape = (len(X), len(C))
    if X.ndim != 2 or C.ndim != 1 or labels.shape != shape or weights.shape != shape:
        raise InputError(
            f"X [n, d], labels [n, m], weights [n, m] and C [m] must agree, got {X.shape}, {labels.shape}, "
            f"{weights.shape} and {C.shape}"
        )
    if labels.dtype != np.bool_:
        raise InputError(f"labels must be bool, got {labels.dtype}; mask undecided rows out by weight 0")
    if not (C > 0).all():
        raise InputError(f"every C must be positive, got {C.min()}")
    a = np.ascontiguousarray(np.asarray(weights, dtype=np.float64).T)
    if not (np.isfinite(a).all() and (a >= 0).all()):
        raise InputError("weights must be finite and not negative")
    return a, C
