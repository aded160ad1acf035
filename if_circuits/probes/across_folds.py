"""Out-of-fold scores of many logistic probes over one stack of rows.

A specialist, a general probe, a leave-one-out general, a cell of a transfer matrix, a control task and
a permutation differ only in the rows (and labels) they train on. All of them are right-hand sides of
one matrix; each is scored on every row by the fit that saw nothing of that row's fold, so a probe
trained on one task meets another task's rows without having met their base queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Int

from if_circuits.errors import InputError
from if_circuits.probes.logistic import LogisticFits, fit_logistic
from if_circuits.probes.solver.batches import Matrix
from if_circuits.threads import one_thread

DEFAULT_CS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Inverse penalties to choose from on standardised features, from very heavy to hardly any. The analyses of a
study choose from fewer (`analyses.shared.probing.STUDY_CS`)."""
SELECTION_TOLERANCE = 1e-3
"""Enough to rank penalties; the fits that are kept are solved to `fit_logistic`'s own tolerance."""

MUCH_THE_SAME = 0.75
"""Least share of the rows of several probes that each of them trains on, to be fitted together."""


@dataclass(frozen=True, eq=False)
class AcrossFolds:
    """Probes fitted once per held-out fold."""

    scores: Float[np.ndarray, "n p"]
    """Logits of row i under probe p, from the fit that held out i's fold; NaN where either does not exist."""
    fold_of_row: Int[np.ndarray, " n"]
    fits: LogisticFits
    """Probe p with fold f held out is at p * n_folds + f."""
    n_folds: int

    @property
    def C(self) -> Float[np.ndarray, "p folds"]:
        """The penalty chosen on the training folds."""
        return self.fits.C.reshape(-1, self.n_folds)

    @property
    def converged(self) -> Bool[np.ndarray, "p folds"]:
        """False where a fit did not converge or does not exist; `reasons` says which."""
        return self.fits.converged.reshape(-1, self.n_folds)

    @property
    def n(self) -> Int[np.ndarray, "p folds"]:
        """Training rows of each fit."""
        return self.fits.n.reshape(-1, self.n_folds)

    @property
    def prior(self) -> Float[np.ndarray, "n p"]:
        """For every score the log-odds of its training rows: the threshold that ignores class balance."""
        return self.fits.prior.reshape(-1, self.n_folds).T[self.fold_of_row]

    def reasons(self, p: int) -> tuple[str, ...]:
        """What went wrong with probe p, one line a held-out fold with trouble."""
        reasons = self.fits.reasons[p * self.n_folds : (p + 1) * self.n_folds]
        return tuple(f"fold {f}: {reason}" for f, reason in enumerate(reasons) if reason)


@one_thread
def fit_across_folds(
    X: Float[np.ndarray, "n d"],
    y: Bool[np.ndarray, " n *p"],
    *,
    fold_of_row: Int[np.ndarray, " n"],
    train: Bool[np.ndarray, "n p"] | Float[np.ndarray, "n p"],
    Cs: Sequence[float] = DEFAULT_CS,
    standardise: bool = True,
) -> AcrossFolds:
    """Fit every probe once per held-out fold and score all rows with the fit that held them out.

    Probe p trains on the rows where train[:, p] > 0 (a mask, or weights), with labels y or y[:, p].
    Rows of X with NaN train nothing and score NaN. Among several `Cs`, each fit takes the one with
    the least held-out log-loss in a cross-validation over its own training folds (ties: the strongest
    penalty). The fit without folds k and l serves k's inner cross-validation and l's alike. Raises
    InputError when the arrays disagree or when fewer than 3 folds must choose among penalties.
    """
    rows = {len(X), len(y), len(fold_of_row), len(train)}
    if len(rows) > 1 or (y.ndim == 2 and y.shape != train.shape):
        raise InputError(
            f"rows must agree: X {X.shape}, y {y.shape}, folds {fold_of_row.shape}, train {train.shape}"
        )
    y = np.broadcast_to(y[:, None], train.shape) if y.ndim == 1 else y
    n_folds = int(fold_of_row.max()) + 1
    Cs = _from_strongest(Cs, n_folds)
    weights = np.where(np.isfinite(X).all(axis=1, keepdims=True), train, 0).astype(np.float64)
    parts: list[LogisticFits] = []
    order: list[Int[np.ndarray, " k"]] = []
    for rows, probes in _by_rows(weights > 0):
        part = np.ix_(rows, probes)
        parts.append(
            _fit_together(X[rows], y[part], weights[part], fold_of_row[rows], n_folds, Cs, standardise)
        )
        order.append(probes)
    place = np.argsort(np.concatenate(order))
    fits = LogisticFits.concatenate(parts).take((place[:, None] * n_folds + np.arange(n_folds)).ravel())
    return AcrossFolds(_held_out_scores(X, fits, fold_of_row, n_folds), fold_of_row, fits, n_folds)


def _by_rows(used: Bool[np.ndarray, "n p"]) -> list[tuple[Int[np.ndarray, " rows"], Int[np.ndarray, " k"]]]:
    """Probes that train on much the same rows, together: they share one design matrix, of all their rows."""
    together: list[tuple[Bool[np.ndarray, " n"], list[int]]] = []
    sizes = used.sum(axis=0)
    for p in np.argsort(-sizes, kind="stable").tolist():
        for k, (rows, probes) in enumerate(together):
            joined = rows | used[:, p]
            # A row that a probe leaves out costs it as much as one that it trains on.
            if joined.sum() * MUCH_THE_SAME <= sizes[p]:
                together[k] = joined, [*probes, p]
                break
        else:
            together.append((used[:, p], [p]))
    return [(np.flatnonzero(rows), np.array(probes)) for rows, probes in together]


def _fit_together(
    X: Float[np.ndarray, "n d"],
    y: Bool[np.ndarray, "n p"],
    weights: Float[np.ndarray, "n p"],
    fold_of_row: Int[np.ndarray, " n"],
    n_folds: int,
    Cs: tuple[float, ...],
    standardise: bool,
) -> LogisticFits:
    """Fits of probe p without fold f at p * n_folds + f, each with its own penalty."""
    n, matrix = len(y), Matrix(X)
    outside = fold_of_row[:, None] != np.arange(n_folds)
    chosen = _chosen(matrix, y, weights, outside, Cs, standardise)
    train = (weights[:, :, None] * outside[:, None, :]).reshape(n, -1)
    return fit_logistic(
        matrix, np.repeat(y, n_folds, axis=1), weights=train, C=chosen.ravel(), standardise=standardise
    )


@one_thread
def choose_penalties(
    X: Float[np.ndarray, "n d"],
    y: Bool[np.ndarray, " n"],
    *,
    fold_of_row: Int[np.ndarray, " n"],
    Cs: Sequence[float],
    standardise: bool,
) -> Float[np.ndarray, " folds"]:
    """The penalties that `fit_across_folds` would choose for y, trained on all rows, and none of its fits.

    Raises InputError when fewer than 3 folds must choose among penalties.
    """
    n_folds = int(fold_of_row.max()) + 1
    Cs = _from_strongest(Cs, n_folds)
    outside = fold_of_row[:, None] != np.arange(n_folds)
    return _chosen(Matrix(X), y[:, None], np.ones((len(y), 1)), outside, Cs, standardise)[0]


def _from_strongest(Cs: Sequence[float], n_folds: int) -> tuple[float, ...]:
    if not Cs or n_folds < (3 if len(Cs) > 1 else 2):
        raise InputError(
            f"{len(Cs)} penalties and {n_folds} folds: one penalty needs 2 folds or more, a choice 3 or more"
        )
    return tuple(sorted(Cs))


def _chosen(
    matrix: Matrix,
    y: Bool[np.ndarray, "n p"],
    weights: Float[np.ndarray, "n p"],
    outside: Bool[np.ndarray, "n folds"],
    Cs: tuple[float, ...],
    standardise: bool,
) -> Float[np.ndarray, "p folds"]:
    """The penalty of least log-loss in the cross-validation over the folds other than the one held out."""
    (n, p), n_folds = y.shape, outside.shape[1]
    if len(Cs) == 1:
        return np.full((p, n_folds), Cs[0])
    pairs = list(combinations(range(n_folds), 2))
    without = np.stack([outside[:, k] & outside[:, other] for k, other in pairs], axis=1)
    shape = (n, p, len(pairs), len(Cs))
    labels = np.broadcast_to(y[:, :, None, None], shape).reshape(n, -1)
    train = np.broadcast_to((weights[:, :, None] * without[:, None, :])[..., None], shape).reshape(n, -1)
    fits = fit_logistic(
        matrix,
        labels,
        weights=train,
        C=np.tile(Cs, p * len(pairs)),
        tolerance=SELECTION_TOLERANCE,
        standardise=standardise,
    )
    # A pair that could not be fitted, for want of a class, says nothing about any penalty.
    margin = np.nan_to_num(np.where(labels, 1.0, -1.0) * fits.scores(matrix.X))
    loss = (np.logaddexp(0.0, -margin).reshape(shape) * weights[:, :, None, None]).reshape(n, -1)
    per_fold = ((~outside).T.astype(np.float64) @ loss).reshape(n_folds, p, len(pairs), len(Cs))
    total = np.zeros((p, n_folds, len(Cs)))
    for j, (k, other) in enumerate(pairs):
        total[:, k] += per_fold[other, :, j]
        total[:, other] += per_fold[k, :, j]
    return np.asarray(Cs)[np.argmin(total, axis=2)]


def _held_out_scores(
    X: Float[np.ndarray, "n d"], fits: LogisticFits, fold_of_row: Int[np.ndarray, " n"], n_folds: int
) -> Float[np.ndarray, "n p"]:
    probes = np.arange(len(fits.C) // n_folds)
    scores = np.full((len(X), len(probes)), np.nan)
    for fold in range(n_folds):
        rows = fold_of_row == fold
        scores[rows] = fits.take(probes * n_folds + fold).scores(X[rows])
    return scores
