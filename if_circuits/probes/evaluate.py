"""How well a label can be read off activations of base queries that the probe has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from if_circuits.errors import InputError
from if_circuits.input_arrays import as_array, as_groups, as_labels
from if_circuits.probes.across_folds import DEFAULT_CS, fit_across_folds
from if_circuits.probes.base import ProbeMethod
from if_circuits.probes.folds import grouped_folds
from if_circuits.statistics.auroc import auroc
from if_circuits.threads import one_thread


@dataclass(frozen=True, eq=False, repr=False)
class OutOfFold:
    """Held-out scores of one probe method on one data set, and what they amount to."""

    scores: Float[np.ndarray, " n"]
    """NaN for rows that were left out or whose fold could not be fitted."""
    prior: Float[np.ndarray, " n"]
    """Log-odds in the training rows behind each score."""
    folds: Int[np.ndarray, " n"]
    C: Float[np.ndarray, " folds"]
    """Chosen inverse penalties; NaN for methods without one."""
    converged: Bool[np.ndarray, " folds"]
    auroc: float
    """Within folds, see `statistics.auroc`."""
    balanced_accuracy: float
    """Predicting positive where the score exceeds the log-odds of the training rows."""
    n: int
    """Rows that were used."""
    n_over_d: float
    """The same over the number of features; a fold trains on all but its own rows."""
    reasons: tuple[str, ...]
    """What could not be fitted or did not converge, fold by fold."""

    def __repr__(self) -> str:
        scores = f"AUROC {self.auroc:.3f}, balanced accuracy {self.balanced_accuracy:.3f}"
        return f"OutOfFold({scores}, n = {self.n})"


@one_thread
def out_of_fold(
    X: Float[np.ndarray, "n d"],
    y: Bool[np.ndarray, " n"],
    groups: Shaped[np.ndarray, " n"] | Sequence[str],
    *,
    n_folds: int,
    seed: int,
    Cs: Sequence[float] = DEFAULT_CS,
    keep: Bool[np.ndarray, " n"] | None = None,
    standardise: bool = True,
) -> OutOfFold:
    """Out-of-fold scores of L2 logistic regression; C and scaling are found inside the training folds.

    Rows where `keep` is false (undecided labels, say) or X has NaN (the position does not exist) are
    left out of training and scoring. Folds are dealt over all groups given, kept or not, so they
    are the same for every data set over the same base queries.

    Args:
        X: Activations, numpy, torch or pandas; rows with NaN are left out.
        y: Labels: booleans, 0 and 1, or the verdicts "satisfied" and "violated".
        groups: What each row belongs to, such as its base query: never split.
        n_folds: Folds over groups.
        seed: Of the folds.
        Cs: Inverse penalties to choose from.
        keep: Rows to use; all by default.
        standardise: Whether each feature is scaled.

    Raises:
        InputError: When no row is left, and for shapes that do not agree.

    Shape:
        X [n, d], y [n], groups [n]; the scores [n].

    Example:
        >>> import numpy as np
        >>> import if_circuits as ifc
        >>> y = np.arange(200) % 2 == 0
        >>> X = np.random.default_rng(0).standard_normal((200, 8)) + 2 * np.outer(y, np.arange(8) == 3)
        >>> found = ifc.out_of_fold(X, y, np.arange(200) // 4, n_folds=5, seed=0)
        >>> found.n, bool(found.auroc > 0.8)
        (200, True)
    """
    X, y, groups = as_array(X, "X", shape="n d"), as_labels(y), as_groups(groups)
    if not len(X) == len(y) == len(groups):
        raise InputError(
            f"X has {len(X)} rows, y {len(y)} labels and groups {len(groups)} names; give one each a row"
        )
    used = _usable(X, keep)
    folds = grouped_folds(groups, n_folds=n_folds, seed=seed)
    fitted = fit_across_folds(X, y, fold_of_row=folds, train=used[:, None], Cs=Cs, standardise=standardise)
    scores = np.where(used, fitted.scores[:, 0], np.nan)
    return _summarise(
        scores, y, folds, prior=fitted.prior[:, 0], C=fitted.C[0], converged=fitted.converged[0],
        d=X.shape[1], n=int(used.sum()), reasons=fitted.reasons(0),
    )  # fmt: skip


@one_thread
def out_of_fold_by(
    method: ProbeMethod,
    X: Float[np.ndarray, "n d"],
    y: Bool[np.ndarray, " n"],
    groups: Shaped[np.ndarray, " n"] | Sequence[str],
    *,
    n_folds: int,
    seed: int,
    keep: Bool[np.ndarray, " n"] | None = None,
) -> OutOfFold:
    """`out_of_fold` for any method by name, such as `probes.get("lda")`, which makes its own inner choices.

    A fold on whose training rows `method` raises InputError is recorded with the reason and scores NaN.
    """
    used, groups = _usable(X, keep), np.asarray(groups)
    folds = grouped_folds(groups, n_folds=n_folds, seed=seed)
    return fit_by_fold(method, X, y, groups, fold_of_row=folds, seed=seed, used=used)


@one_thread
def fit_by_fold(
    method: ProbeMethod,
    X: Float[np.ndarray, "n d"],
    y: Bool[np.ndarray, " n"],
    groups: Shaped[np.ndarray, " n"],
    *,
    fold_of_row: Int[np.ndarray, " n"],
    seed: int,
    used: Bool[np.ndarray, " n"],
) -> OutOfFold:
    """`out_of_fold_by` on folds that were dealt elsewhere, over more groups than have a row here."""
    folds, n_folds = fold_of_row, int(fold_of_row.max()) + 1
    scores, prior = np.full(len(y), np.nan), np.full(len(y), np.nan)
    converged, reasons = np.zeros(n_folds, dtype=bool), list[str]()
    for fold in range(n_folds):
        train, test = used & (folds != fold), used & (folds == fold)
        try:
            probe = method(X[train], y[train], groups=groups[train], seed=seed)
        except InputError as error:
            reasons.append(f"fold {fold}: {error}")
            continue
        scores[test], converged[fold] = probe.scores(X[test]), probe.converged
        share = y[train].mean()
        prior[test] = np.log(share) - np.log1p(-share)
    return _summarise(
        scores, y, folds, prior=prior, C=np.full(n_folds, np.nan), converged=converged,
        d=X.shape[1], n=int(used.sum()), reasons=tuple(reasons),
    )  # fmt: skip


def _summarise(
    scores: Float[np.ndarray, " n"],
    y: Bool[np.ndarray, " n"],
    folds: Int[np.ndarray, " n"],
    *,
    prior: Float[np.ndarray, " n"],
    C: Float[np.ndarray, " folds"],
    converged: Bool[np.ndarray, " folds"],
    d: int,
    n: int,
    reasons: tuple[str, ...],
) -> OutOfFold:
    """Out-of-fold scores with their AUROC and their balanced accuracy at the training log-odds `prior`."""
    scored = np.isfinite(scores)
    return OutOfFold(
        scores=scores,
        prior=prior,
        folds=folds,
        C=C,
        converged=converged,
        auroc=auroc(y, scores, strata=folds),
        balanced_accuracy=balanced_accuracy(y[scored], scores[scored] > prior[scored]),
        n=n,
        n_over_d=n / d,
        reasons=reasons,
    )


def balanced_accuracy(labels: Bool[np.ndarray, " n"], predicted: Bool[np.ndarray, " n"]) -> float:
    """Mean of the two classes' recalls; NaN when a class is missing."""
    if labels.all() or not labels.any():
        return float("nan")
    return float(0.5 * (predicted[labels].mean() + (~predicted[~labels]).mean()))


def subsample(
    candidates: Bool[np.ndarray, " n"], *, size: int, strata: Shaped[np.ndarray, " n"], seed: int
) -> Bool[np.ndarray, " n"]:
    """`size` of the candidate rows, drawn at random and as evenly over the strata as they allow.

    This gives a general probe as many rows as a specialist has, spread over the tasks. Raises
    InputError when there are fewer candidates.
    """
    rows = np.flatnonzero(candidates)
    if not 0 <= size <= len(rows):
        raise InputError(f"cannot draw {size} rows from {len(rows)}")
    rng = np.random.default_rng(seed)
    rows = rng.permutation(rows)
    turn = np.zeros(len(rows), dtype=int)
    for stratum in np.unique(np.asarray(strata)[rows]):
        mine = np.asarray(strata)[rows] == stratum
        turn[mine] = np.arange(mine.sum())
    drawn = np.zeros(len(candidates), dtype=bool)
    drawn[rows[np.argsort(turn, kind="stable")[:size]]] = True
    return drawn


def _usable(X: Float[np.ndarray, "n d"], keep: Bool[np.ndarray, " n"] | None) -> Bool[np.ndarray, " n"]:
    used = np.asarray(np.isfinite(X).all(axis=1))
    used = used if keep is None else used & keep
    if not used.any():
        raise InputError(f"none of {len(X)} rows can be used: each has NaN activations or is not kept")
    return used
