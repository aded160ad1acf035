"""Do later layers rebuild what was removed? Remove a task's subspace at one layer of the forward pass, probe
the layers above.

The subspace that the settings' erasure method finds at a middle block is projected out there alone, at the
prompt's last token and the whole response, in a teacher-forced pass over the task's own responses. On the
activations of each later layer a probe is fitted, with the fitting half's responses under the removal, and
tested on the other half's. At the ablated layer itself the same probe shows that the removal held. Above it,
satisfaction that can be read again came from what the projection left: the prompt's cached keys and values,
and other directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from if_circuits.activations.plan import COLUMNS, plan_capture
from if_circuits.activations.positions import POSITIONS
from if_circuits.activations.source import ActivationSource
from if_circuits.activations.teacher_forcing import passes, read_positions
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.causal_ablation.response_directions import ResponseDirections
from if_circuits.analyses.shared.discriminant import fit_discriminant
from if_circuits.analyses.shared.labelled_tasks import LabelledTask, labelled_tasks, query_halves
from if_circuits.analyses.shared.task_subspaces import POSITION, fit_task_subspaces
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.erasure.base import EraserMethod
from if_circuits.interventions.hooks import Intervention
from if_circuits.interventions.operations import ProjectOut
from if_circuits.interventions.subspace import Subspace
from if_circuits.models.reading import reading
from if_circuits.models.workers import on_model
from if_circuits.progress import Report
from if_circuits.statistics.auroc import auroc_influence
from if_circuits.statistics.bootstrap import bootstrap_draws, interval_of

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel

ROWS_PER_CLASS = 45
"""Responses of each task, half and class that are read again."""


def measure_rebuilding(
    model: LoadedModel,
    source: ActivationSource,
    fits: Sequence[ResponseDirections],
    method: EraserMethod,
    *,
    settings: AnalysisSettings,
    engine: Engine = IN_PROCESS,
    progress: Report | None = None,
) -> pd.DataFrame:
    """One row per task and probed layer, from the ablated layer up; tasks with too few labels have none.

    Columns: task, layer_ablated, rank (mean of the halves'), layer_probed, auroc_intact, auroc_ablated with
    low and high, drop with drop_low and drop_high, n (responses tested), n_queries. Both AUROCs are of the
    same responses, and means of two halves.
    """
    blocks = fits[0].layers
    at = blocks[(len(blocks) - 1) // 2]
    later = tuple(layer for layer in blocks if layer >= at)
    halves = query_halves(source, seed=settings.seed)
    tasks = [_thin(task, halves, seed=settings.seed) for task in labelled_tasks(source, POSITION)]
    intact = {layer: source.features(layer, POSITION) for layer in later}
    found: dict[str, list[_Half]] = {task.name: [] for task in tasks}
    again = _read_again(source, fits, tasks, method, layers=later, at=at, seed=settings.seed)
    sizes = [len(each.responses) for each in again]
    read = on_model(engine, model, read_ablated, again, sizes=sizes, progress=progress)
    for each, ablated in zip(again, read, strict=True):
        rows = np.concatenate([each.train.rows, each.test.rows])
        scores = [
            (_test(intact[layer][rows], each.train, each.test), _test(ablated[layer], each.train, each.test))
            for layer in later
        ]
        found[each.train.name].append(_Half(scores, each.test, each.removed.rank))
    return pd.DataFrame(
        [
            {
                "task": name,
                "layer_ablated": at,
                "rank": float(np.mean([half.rank for half in both])),
                "layer_probed": layer,
                **_summarise(both, i, settings=settings),
            }
            for name, both in found.items()
            if len(both) == len(fits)
            for i, layer in enumerate(later)
        ]
    )


@dataclass(frozen=True, eq=False)
class _Score:
    auroc: float
    influence: Float[np.ndarray, " n"]
    """Of every tested row."""


@dataclass(frozen=True, eq=False)
class _Half:
    """What one half measured."""

    scores: Sequence[tuple[_Score, _Score]]
    """By layer, intact and ablated."""
    tested: LabelledTask
    rank: int


def _thin(task: LabelledTask, halves: Int[np.ndarray, " queries"], *, seed: int) -> LabelledTask:
    """At most `ROWS_PER_CLASS` rows of each class in each half, drawn at random."""
    rng = np.random.default_rng(seed)
    keep = np.zeros(len(task.rows), dtype=bool)
    for half in (0, 1):
        for label in (True, False):
            rows = np.flatnonzero((halves[task.queries] == half) & (task.satisfied == label))
            keep[rng.permutation(rows)[:ROWS_PER_CLASS]] = True
    return task.where(keep)


@dataclass(frozen=True, eq=False)
class _Again:
    """Responses of a task that are read again, the fitting half's first: a unit of work."""

    responses: pd.DataFrame
    removed: Subspace
    layers: tuple[int, ...]
    at: int
    train: LabelledTask
    test: LabelledTask

    def __str__(self) -> str:
        return f"{len(self.responses)} responses to {self.train.name} without its subspace at layer {self.at}"


def _read_again(
    source: ActivationSource,
    fits: Sequence[ResponseDirections],
    tasks: Sequence[LabelledTask],
    method: EraserMethod,
    *,
    layers: tuple[int, ...],
    at: int,
    seed: int,
) -> list[_Again]:
    """What is read, of each half's fits and each task that has enough labels in both halves."""
    halves, again = query_halves(source, seed=seed), list[_Again]()
    columns = [name for name in (*COLUMNS, "answer") if name in source.responses]
    for fit in fits:
        training = [task.where(halves[task.queries] == fit.half) for task in tasks]
        subspaces = fit_task_subspaces(source, training, method, layers=[at], seed=seed).at(at)
        centre = fit.centres[fits[0].layers.index(at)]
        for task, train in zip(tasks, training, strict=True):
            test = task.where(halves[task.queries] != fit.half)
            if task.name in subspaces and not test.shortage():
                removed = Subspace(basis=subspaces[task.name].basis, mean=centre, name=task.name)
                rows = np.concatenate([train.rows, test.rows])
                responses = source.responses[columns].iloc[rows]
                again.append(_Again(responses, removed, layers, at, train, test))
    return again


def read_ablated(
    model: LoadedModel, again: _Again, progress: Report | None
) -> dict[int, Float[np.ndarray, "n d"]]:
    """Activations of the responses at `POSITION`, by layer, with the subspace projected out at layer `at`."""
    plan = plan_capture(again.responses)
    interventions = [Intervention(ProjectOut(again.removed), layers=(again.at,))]
    shape = (len(again.responses), len(again.removed.mean))
    found = {layer: np.empty(shape, dtype=np.float32) for layer in again.layers}
    column, done = POSITIONS.index(POSITION), 0
    with reading(model):
        for batch in passes(model, plan, plan.order):
            read = read_positions(model, plan, batch, layers=again.layers, interventions=interventions)
            for layer, activations in read:
                found[layer][batch] = activations[:, column]
            done += len(batch)
            if progress is not None:
                progress(done, len(plan.order))
    return {layer: values[plan.read_as] for layer, values in found.items()}


def _test(X: Float[np.ndarray, "n d"], train: LabelledTask, test: LabelledTask) -> _Score:
    """A probe of the first rows, which are the training ones, on the others."""
    first = len(train.rows)
    probe = fit_discriminant(X[:first], train.satisfied)
    scores = X[first:].astype(np.float64) @ probe.weight
    auroc, influence = auroc_influence(test.satisfied, scores[:, None])
    return _Score(float(auroc[0]), influence[:, 0])


def _summarise(both: Sequence[_Half], layer: int, *, settings: AnalysisSettings) -> dict[str, object]:
    """Means over halves with intervals over base queries."""
    queries = np.concatenate([half.tested.queries for half in both])
    intact, ablated = (
        _Score(
            float(np.mean([half.scores[layer][which].auroc for half in both])),
            np.concatenate([half.scores[layer][which].influence for half in both]) / len(both),
        )
        for which in (0, 1)
    )
    row: dict[str, object] = {"auroc_intact": intact.auroc}
    drop = _Score(intact.auroc - ablated.auroc, intact.influence - ablated.influence)
    for score, (name, low, high) in (
        (ablated, ("auroc_ablated", "low", "high")),
        (drop, ("drop", "drop_low", "drop_high")),
    ):
        # To first order in the weights, as in the matrices.
        changes = bootstrap_draws(
            queries,
            lambda weights, score=score: weights @ score.influence,
            n_resamples=settings.n_bootstrap,
            seed=settings.seed,
        )
        interval = interval_of(
            score.auroc,
            score.auroc + changes,
            n_groups=len(np.unique(queries)),
            confidence=1 - settings.alpha,
        )
        row |= {name: score.auroc, low: interval.low, high: interval.high}
    return row | {"n": len(queries), "n_queries": len(np.unique(queries))}
