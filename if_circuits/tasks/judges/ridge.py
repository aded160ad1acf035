"""Ridge regression on few texts and many features, with a say of its own for the counted features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import solve


@dataclass(frozen=True)
class RidgeChoice:
    """What cross-validation chooses: a penalty, and the size of the counted features beside the encoder's."""

    penalty: float
    counted: float


GRID: tuple[RidgeChoice, ...] = tuple(
    RidgeChoice(penalty, counted)
    for penalty in (1_000.0, 3_000.0, 10_000.0)
    for counted in (0.0, 4.0, 10.0, 20.0, 40.0)
)
"""Large steps: a fine grid would choose noise."""


def fit_ridge(
    encoded: Float[np.ndarray, "texts features"],
    counted: Float[np.ndarray, "texts counted"],
    target: Float[np.ndarray, " texts"],
    *,
    choice: RidgeChoice,
) -> tuple[Float[np.ndarray, " all_features"], float]:
    """Weight and bias on the raw features, the encoder's first.

    Each feature is standardised over the texts that are fitted to; the counted ones are then multiplied by
    `choice.counted`. Solved in its dual form, of the size of the texts.
    """
    mean_encoded, scale_encoded = _standard(encoded)
    mean_counted, scale_counted = _standard(counted)
    mean = np.concatenate([mean_encoded, mean_counted])
    scale = np.concatenate([scale_encoded, choice.counted * scale_counted])
    rows = (np.hstack([encoded, counted]) - mean) * scale
    centre = float(target.mean())
    dual = np.linalg.solve(rows @ rows.T + choice.penalty * np.eye(len(rows)), target - centre)
    weight = (rows.T @ dual) * scale
    return weight, centre - float(mean @ weight)


def cross_validated(
    encoded: Float[np.ndarray, "texts features"],
    counted: Float[np.ndarray, "texts counted"],
    target: Float[np.ndarray, " texts"],
    *,
    groups: Sequence[str],
    n_folds: int = 10,
    seed: int = 0,
) -> Float[np.ndarray, "choices texts"]:
    """The score of each text by fits that saw none of its group, one for each choice of `GRID`.

    The scores are those of `fit_ridge`, by way of products of texts that the choices of a fold share.
    """
    fold_of = folds(groups, n_folds=n_folds, seed=seed)
    scores = np.empty((len(GRID), len(target)))
    for fold in range(n_folds):
        test = fold_of == fold
        centre = float(target[~test].mean())
        products = [_products(block, test) for block in (encoded, counted)]
        for index, choice in enumerate(GRID):
            fitted, asked = (
                of_encoded + choice.counted**2 * of_counted
                for of_encoded, of_counted in zip(*products, strict=True)
            )
            penalised = fitted + choice.penalty * np.eye(len(fitted))
            dual = solve(penalised, target[~test] - centre, assume_a="pos")
            scores[index, test] = centre + asked @ dual
    return scores


def _products(
    rows: Float[np.ndarray, "texts features"], test: Bool[np.ndarray, " texts"]
) -> tuple[Float[np.ndarray, "fitted fitted"], Float[np.ndarray, "asked fitted"]]:
    """Inner products of the texts fitted to with one another, and of the others with them, standardised."""
    mean, scale = _standard(rows[~test])
    fitted = (rows[~test] - mean) * scale
    return fitted @ fitted.T, ((rows[test] - mean) * scale) @ fitted.T


def folds(groups: Sequence[str], *, n_folds: int, seed: int) -> Int[np.ndarray, " texts"]:
    """The fold of each text; a group lies in one."""
    names = sorted(set(groups))
    fold_of = dict(zip(names, np.random.default_rng(seed).permutation(len(names)) % n_folds, strict=True))
    return np.array([fold_of[group] for group in groups])


def _standard(
    rows: Float[np.ndarray, "texts features"],
) -> tuple[Float[np.ndarray, " features"], Float[np.ndarray, " features"]]:
    """Mean of each feature and the inverse of its standard deviation; 0 for one that never varies."""
    deviation = rows.std(axis=0)
    varies = deviation > 1e-12
    return rows.mean(axis=0), np.where(varies, 1 / np.where(varies, deviation, 1), 0.0)
