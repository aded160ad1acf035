"""Each task's subspace, fitted once on each half of the base queries, and the random subspaces beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.shared.discriminant import fit_discriminant
from if_circuits.analyses.shared.labelled_tasks import LabelledTask, labelled_tasks, query_halves
from if_circuits.erasure.base import EraserMethod
from if_circuits.erasure.inlp import InlpSubspace
from if_circuits.erasure.random_subspace import captured_variance, random_subspace, variance_matched_subspaces
from if_circuits.errors import InputError
from if_circuits.interventions.subspace import Subspace
from if_circuits.statistics.auroc import auroc_influence

POSITION = "last"
"""Where subspaces are fitted and measured: the last token, which only an empty response lacks."""
CONTROLS = ("gaussian", "variance_matched")
"""Kinds of random subspace that a task's subspace is compared with."""


@dataclass(frozen=True, eq=False)
class HalfFit:
    """What one half of the base queries fitted."""

    half: int
    """The half that fitted; the other one measures."""
    layer: int
    background: Float[np.ndarray, "n d"]
    """Its activations about the mean of their task and class: what control subspaces are matched in the
    variance of. With the classes left in, a strong signal would be the variance, and a matched control
    would find it."""
    subspaces: Mapping[str, Subspace]
    """By task; a task without enough labels has none."""
    reasons: Mapping[str, str]
    """Why a task has no subspace."""


def fit_halves(
    source: ActivationSource,
    method: EraserMethod,
    *,
    seed: int,
    layers: tuple[int, int] | None = None,
) -> tuple[HalfFit, HalfFit]:
    """Choose the layer and fit every task's subspace, once on each half of the base queries.

    `method` must fit a `Subspace`, since its controls are random ones of the same rank. The choice of
    `layers`, by half, does not depend on the method: give those of another method's fits to save it.
    """
    halves = query_halves(source, seed=seed)
    tasks = labelled_tasks(source, POSITION)

    def fit(half: int) -> HalfFit:
        rows = [task.where(halves[task.queries] == half) for task in tasks]
        layer = best_layer(source, rows) if layers is None else layers[half]
        features = source.features(layer, POSITION)
        background = within_class_residuals(features, rows)
        return HalfFit(half, layer, background, *fit_subspaces(features, rows, method, seed=seed))

    return fit(0), fit(1)


def fit_subspaces(
    features: Float[np.ndarray, "n d"], tasks: Sequence[LabelledTask], method: EraserMethod, *, seed: int
) -> tuple[dict[str, Subspace], dict[str, str]]:
    """The subspace of each task, or the reason why there is none, both by the task's name."""
    subspaces: dict[str, Subspace] = {}
    reasons: dict[str, str] = {}
    for task in tasks:
        if shortage := task.shortage():
            reasons[task.name] = shortage
            continue
        try:
            erasure = method.fit(features[task.rows], task.satisfied, groups=task.queries, seed=seed)
        except InputError as error:
            reasons[task.name] = str(error)
            continue
        if not isinstance(erasure, Subspace):
            raise TypeError(f"{method.name} fits no Subspace, so there are no random ones of its rank")
        subspaces[task.name] = erasure
    return subspaces, reasons


def within_class_residuals(
    features: Float[np.ndarray, "n d"], tasks: Sequence[LabelledTask]
) -> Float[np.ndarray, "m d"]:
    """The given rows of all tasks, in float64, about the mean of their task and class."""
    parts: list[Float[np.ndarray, "rows d"]] = [np.zeros((0, features.shape[1]))]
    for task in tasks:
        for label in np.unique(task.satisfied):
            part = features[task.rows[task.satisfied == label]].astype(np.float64)
            parts.append(part - part.mean(axis=0))
    return np.concatenate(parts)


def decodes(subspace: Subspace) -> bool:
    """Does the first probe behind an INLP subspace beat chance on held-out base queries? INLP removes one
    anyway.
    """
    return isinstance(subspace, InlpSubspace) and subspace.low[0] > 0.5


def control_bases(fit: HalfFit, subspace: Subspace, *, n: int, seed: int) -> Float[np.ndarray, "kinds n k d"]:
    """Bases of n random subspaces of each kind of `CONTROLS`, of the rank of `subspace`.

    Variance is matched on the fit's `background`; where that is impossible, both kinds are Gaussian. The
    Gaussian ones depend on rank, width and seed alone.
    """
    gaussian = [random_subspace(subspace.rank, mean=subspace.mean, seed=seed + draw) for draw in range(n)]
    try:
        matched = variance_matched_subspaces(
            fit.background,
            rank=subspace.rank,
            variance=captured_variance(subspace, fit.background),
            n_subspaces=n,
            seed=seed,
        )
    except InputError:
        # The subspace takes up about as little or as much variance as its rank can: nothing random does.
        matched = gaussian
    return np.array([[draw.basis for draw in kind] for kind in (gaussian, matched)])


def best_layer(source: ActivationSource, tasks: Sequence[LabelledTask]) -> int:
    """The layer at which the given rows' verdicts are decoded best, in the mean over tasks with enough rows.

    Each task's base queries are split in two and a discriminant fitted on one part is tested on the other.
    One layer for all tasks, since what is compared between tasks must lie in one space. Ties go to the
    earlier layer.
    """
    usable = [task for task in tasks if not task.shortage()]
    scores = [_mean_auroc(source.features(layer, POSITION), usable) for layer in source.layers]
    return source.layers[int(np.argmax(scores))]


def _mean_auroc(features: Float[np.ndarray, "n d"], tasks: Sequence[LabelledTask]) -> float:
    found: list[float] = []
    for task in tasks:
        X = features[task.rows]
        even = np.unique(task.queries, return_inverse=True)[1] % 2 == 0
        for train, test in ((even, ~even), (~even, even)):
            labels = task.satisfied[test]
            if len(np.unique(task.satisfied[train])) == 2 == len(np.unique(labels)):
                probe = fit_discriminant(X[train], task.satisfied[train])
                found.append(float(auroc_influence(labels, (X[test] @ probe.weight)[:, None])[0][0]))
    return float(np.mean(found)) if found else 0.5
