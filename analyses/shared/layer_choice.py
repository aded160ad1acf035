"""The layer that a fold reports, chosen on the other folds.

The best of many layers looks better than it is on the data that made it the best. So for each held-out
fold k the layer is chosen without k: probes are trained without the folds j and k and ranked by their
AUROC on fold j, averaged over j and over tasks. (Probes trained without j alone would not do: what fold
k and fold j share by chance would raise both.) The layer is common to all tasks and to all kinds of
probe that are compared. Source: Varma and Simon 2006.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.shared.cells import Cell, cells_of, specialists_of
from if_circuits.analyses.shared.probing import ProbingRows
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.probes.across_folds import AcrossFolds
from if_circuits.probes.logistic import fit_logistic
from if_circuits.progress import Report
from if_circuits.statistics.auroc import column_aurocs

CHOICE_C = 0.01
"""One middling penalty serves the ranking of layers; the probes that are reported choose their own."""


@dataclass(frozen=True, eq=False)
class LayerChoice:
    """Which layer each fold reports, and what the choice rests on."""

    layers: tuple[int, ...]
    """The candidates."""
    inner: Float[np.ndarray, "layers folds"]
    """Mean AUROC over tasks within the other folds."""

    @property
    def index(self) -> Int[np.ndarray, " folds"]:
        """Index of each fold's layer in `layers`; the earliest of equals."""
        return np.argmax(np.nan_to_num(self.inner, nan=-1.0), axis=0)

    @property
    def chosen(self) -> Int[np.ndarray, " folds"]:
        """Each fold's layer."""
        return np.asarray(self.layers)[self.index]

    @property
    def candidates(self) -> tuple[int, ...]:
        """The layers that some fold chose, in the order of `layers`."""
        return tuple(self.layers[index] for index in np.unique(self.index))

    @property
    def usual(self) -> int:
        """The layer that most folds chose; the earliest of equals."""
        return self.layers[int(np.bincount(self.index).argmax())]

    def frame(self) -> pd.DataFrame:
        """The choice as a table: fold, layer, inner AUROC, and whether it is the fold's layer."""
        layer, fold = (axis.ravel() for axis in np.indices(self.inner.shape))
        return pd.DataFrame(
            {
                "fold": fold,
                "layer": np.asarray(self.layers)[layer],
                "inner_auroc": self.inner.ravel(),
                "chosen": layer == self.index[fold],
            }
        )


def choose_layers(
    source: ActivationSource,
    rows: ProbingRows,
    layers: Sequence[int],
    *,
    engine: Engine = IN_PROCESS,
    progress: Report | None = None,
) -> LayerChoice:
    """A layer for each fold at the position of `rows`, by how well specialists do on average in the
    other folds."""
    inner = engine.map(inner_aurocs_of, cells_of(source, rows, layers), progress=progress)
    return LayerChoice(tuple(layers), np.stack(list(inner)))


def inner_aurocs_of(cell: Cell) -> Float[np.ndarray, " folds"]:
    """For each fold, how well the specialists of a cell do in the others, in the mean over tasks."""
    X, rows = cell.features(), cell.rows
    found = [
        inner_auroc(X[own], rows.labels[own], rows.fold_of_row[own], n_folds=rows.n_folds)
        for own in rows.of_task
    ]
    return np.mean(found, axis=0)


@dataclass(frozen=True, eq=False)
class ChosenSpecialists:
    """The task probes of every fold at the layer chosen for the fold."""

    values: Float[np.ndarray, "n tasks"]
    """Out-of-fold logits of every row of the stack under the probe of every task."""
    prior: Float[np.ndarray, "n tasks"]
    """Log-odds in the training rows behind each value."""
    n_train: Float[np.ndarray, " tasks"]
    n_over_d: Float[np.ndarray, " tasks"]


def specialists_at(
    source: ActivationSource, rows: ProbingRows, choice: LayerChoice, *, engine: Engine = IN_PROCESS
) -> ChosenSpecialists:
    """Fit the specialists at each layer that a fold chose, and keep each fold's own."""
    cells = cells_of(source, rows, choice.candidates)
    return of_each_fold(rows, choice, engine.map(specialists_of, cells))


def of_each_fold(rows: ProbingRows, choice: LayerChoice, fits: Iterable[AcrossFolds]) -> ChosenSpecialists:
    """The specialists at the layers that folds chose, in their order, as each fold's own."""
    values, prior = np.full((2, len(rows.rows), len(rows.tasks)), np.nan)
    n_train = np.full(len(rows.tasks), np.nan)
    d = 1
    for index, found in zip(np.unique(choice.index), fits, strict=True):
        here = choice.index[rows.fold_of_row] == index
        values[here], prior[here] = found.scores[here], found.prior[here]
        n_train, d = found.n.mean(axis=1), found.fits.weight.shape[1]
    return ChosenSpecialists(values, prior, n_train, n_train / d)


def inner_auroc(
    X: Float[np.ndarray, "n d"], labels: Bool[np.ndarray, " n"], folds: Int[np.ndarray, " n"], *, n_folds: int
) -> Float[np.ndarray, " folds"]:
    """For each fold k, the AUROC on each other fold j of a probe trained without both, averaged over j.

    Pairs (j, k) that leave a class out of the training rows or of fold j are left out of the average;
    0.5 where all are, and where there are fewer than three folds.
    """
    pairs = np.array(list(combinations(range(n_folds), 2)))
    kept = (folds[:, None] != pairs[:, 0]) & (folds[:, None] != pairs[:, 1])
    fits = fit_logistic(
        X,
        np.repeat(labels[:, None], len(pairs), axis=1),
        weights=kept,
        C=np.full(len(pairs), CHOICE_C),
        tolerance=1e-2,
    )
    scores = fits.scores(X)
    # Entry [k, j] is the AUROC on fold j of the probe trained without j and k.
    found = np.full((n_folds, n_folds), np.nan)
    for fold in range(n_folds):
        rows = folds == fold
        with_fold = np.flatnonzero((pairs == fold).any(axis=1))
        others = pairs[with_fold].sum(axis=1) - fold
        own = np.repeat(labels[rows, None], len(with_fold), axis=1)
        found[others, fold] = column_aurocs(own, scores[np.ix_(rows, with_fold)], strata=folds[rows])
    known = ~np.isnan(found)
    total = np.where(known, found, 0.0).sum(axis=1)
    return np.divide(total, known.sum(axis=1), out=np.full(n_folds, 0.5), where=known.any(axis=1))
