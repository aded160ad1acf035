"""The subspace of a task: fitted in one place, by any method, at any layers and positions.

`fit_task_subspaces` fits it for the analyses, for ablation while generating and for `generate --ablate`;
`fit_halves` fits it on each half of the base queries, with the random subspaces beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from if_circuits.activations.source import ActivationSource, FeatureReader
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.shared.discriminant import fit_discriminant
from if_circuits.analyses.shared.labelled_tasks import LabelledTask, labelled_tasks, query_halves
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.erasure.base import EraserMethod, erasure_methods
from if_circuits.erasure.inlp import InlpSubspace
from if_circuits.erasure.random_subspace import captured_variance, random_subspace, variance_matched_subspaces
from if_circuits.errors import InputError
from if_circuits.interventions.subspace import Subspace
from if_circuits.statistics.auroc import auroc_influence

POSITION = "last"
"""Where subspaces are fitted and measured: the last token, which only an empty response lacks."""
DEFAULT_ERASURE = "inlp"
"""The method of what is removed at one layer, where the settings name none."""
CONTROLS = ("gaussian", "variance_matched")
"""Kinds of random subspace that a task's subspace is compared with."""


@dataclass(frozen=True, eq=False)
class TaskSubspaces:
    """The subspaces of several tasks, fitted on the same base queries."""

    by_task: Mapping[str, Mapping[int, Subspace]]
    """By task, then by layer; a task without enough labels has none."""
    reasons: Mapping[str, str]
    """Why a task has none."""

    def at(self, layer: int) -> dict[str, Subspace]:
        """The subspaces at one layer, by task."""
        return {task: subspaces[layer] for task, subspaces in self.by_task.items()}


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


def chosen_erasure(settings: AnalysisSettings) -> EraserMethod:
    """The method that the settings name, else INLP. Raises InputError for a name that no method has."""
    return erasure_methods.get(settings.erasure or DEFAULT_ERASURE)()


def fit_halves(
    source: ActivationSource,
    method: EraserMethod,
    *,
    seed: int,
    layers: tuple[int, int] | None = None,
    engine: Engine = IN_PROCESS,
) -> tuple[HalfFit, HalfFit]:
    """Choose the layer and fit every task's subspace, once on each half of the base queries.

    `method` must fit a `Subspace`, since its controls are random ones of the same rank. The choice of
    `layers`, by half, does not depend on the method: give those of another method's fits to save it.
    """
    halves = query_halves(source, seed=seed)
    tasks = labelled_tasks(source, POSITION)

    def fit(half: int) -> HalfFit:
        rows = [task.where(halves[task.queries] == half) for task in tasks]
        layer = best_layer(source, rows, engine=engine) if layers is None else layers[half]
        background = within_class_residuals(source.features(layer, POSITION), rows)
        found = fit_task_subspaces(source, rows, method, layers=[layer], seed=seed, engine=engine)
        return HalfFit(half, layer, background, found.at(layer), found.reasons)

    return fit(0), fit(1)


def fit_task_subspaces(
    source: ActivationSource,
    tasks: Sequence[LabelledTask],
    method: EraserMethod,
    *,
    layers: Sequence[int],
    positions: Sequence[str] = (POSITION,),
    seed: int,
    engine: Engine = IN_PROCESS,
) -> TaskSubspaces:
    """The subspace of each task at each of the layers, fitted on the tasks' rows.

    Each response counts once, as `response_features` describes it. Raises TypeError for a method that fits
    no `Subspace`: it has no rank that random controls could share.
    """
    rows = np.concatenate([task.rows for task in tasks]) if tasks else np.zeros(0, dtype=np.int64)
    reasons = {task.name: shortage for task in tasks if (shortage := task.shortage())}
    by_task: dict[str, dict[int, Subspace]] = {task.name: {} for task in tasks if task.name not in reasons}
    reader, places = source.reader, tuple(positions)
    units = [
        _Fit(reader, layer, places, rows, task, method, seed)
        for layer in layers
        for task in tasks
        if task.name in by_task
    ]
    for unit, found in zip(units, engine.map(fitted_subspace, units), strict=True):
        name = unit.task.name
        if isinstance(found, str):
            reasons.setdefault(name, found)
            by_task.pop(name, None)
        elif name in by_task:
            by_task[name][unit.layer] = found
    return TaskSubspaces(by_task, reasons)


@dataclass(frozen=True, eq=False)
class _Fit:
    """One task at one layer: a unit of work."""

    reader: FeatureReader
    layer: int
    positions: tuple[str, ...]
    rows: Int[np.ndarray, " m"]
    """Rows of all tasks that are fitted."""
    task: LabelledTask
    method: EraserMethod
    seed: int

    def __str__(self) -> str:
        return f"the subspace of {self.task.name} at layer {self.layer}"


def fitted_subspace(unit: _Fit) -> Subspace | str:
    """The subspace of a task, or why there is none. Raises TypeError for a method that fits no `Subspace`."""
    task = unit.task
    features = response_features(unit.reader, unit.layer, positions=unit.positions, rows=unit.rows)
    try:
        erasure = unit.method.fit(features[task.rows], task.satisfied, groups=task.queries, seed=unit.seed)
    except InputError as error:
        return str(error)
    if not isinstance(erasure, Subspace):
        raise TypeError(f"{unit.method.name} fits no Subspace, so there are no random ones of its rank")
    return erasure


def response_features(
    reader: FeatureReader, layer: int, *, positions: Sequence[str], rows: Int[np.ndarray, " m"]
) -> Float[np.ndarray, "n d"]:
    """One vector for each response: its activations at the position or, over several, their mean.

    Positions differ in their own mean, which is taken off before averaging, so that a response that lacks
    some of them is not told by that. It is the mean over `rows`; the other rows are then NaN.
    """
    if len(positions) == 1:
        return reader.features(layer, positions[0])
    whole = [reader.features(layer, position) for position in positions]
    found = [X[rows].astype(np.float64) for X in whole]
    # A position that no response has, as `eos` where all are truncated, has no mean.
    found = [X for X in found if np.isfinite(X).any()]
    features = np.full((len(whole[0]), found[0].shape[1]), np.nan)
    features[rows] = np.nanmean([X - np.nanmean(X, axis=0) for X in found], axis=0)
    return features


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


def best_layer(
    source: ActivationSource, tasks: Sequence[LabelledTask], *, engine: Engine = IN_PROCESS
) -> int:
    """The layer at which the given rows' verdicts are decoded best, in the mean over tasks with enough rows.

    Each task's base queries are split in two and a discriminant fitted on one part is tested on the other.
    One layer for all tasks, since what is compared between tasks must lie in one space. Ties go to the
    earlier layer.
    """
    reader, usable = source.reader, tuple(task for task in tasks if not task.shortage())
    units = [_Candidate(reader, layer, usable) for layer in source.layers]
    return source.layers[int(np.argmax(list(engine.map(mean_auroc, units))))]


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A layer that may be chosen: a unit of work."""

    reader: FeatureReader
    layer: int
    tasks: tuple[LabelledTask, ...]

    def __str__(self) -> str:
        return f"the choice of layer {self.layer}"


def mean_auroc(unit: _Candidate) -> float:
    """How well a layer decodes, in the mean over tasks."""
    features, tasks = unit.reader.features(unit.layer, POSITION), unit.tasks
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
