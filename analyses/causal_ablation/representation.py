"""Causal ablation in representation: remove task A's subspace from activations, measure what is left of
task B.

Base queries are split in halves. One half chooses the layer (one for all tasks), fits A's subspace and B's
probe; the other half measures; then they change places, and the two results are averaged. The score is the
AUROC of satisfied against violated, by two probes: *refitted* on training activations without the subspace,
which asks whether B's information is gone, and *fixed*, fitted on intact ones, which asks whether the
probe's own direction was hit. The first is the stricter claim.

LEACE needs no matrix of its own. A linear probe that is refitted after LEACE, or after the mean difference is
projected out, may use exactly the weights orthogonal to the difference of the class means: the two erase the
same information, and differ in how far they move the activations.

Each removal is compared with two kinds of random subspaces of its rank: Gaussian directions, and directions
matched to the variance that A's subspace takes away. In every cell, the kind that does more damage is the
control.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from if_circuits.activations.source import ActivationSource, FeatureReader
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.causal_ablation.drop_matrix import DropMatrix, HalfScores, average
from if_circuits.analyses.shared.discriminant import fit_discriminant
from if_circuits.analyses.shared.labelled_tasks import LabelledTask, labelled_tasks, query_halves
from if_circuits.analyses.shared.task_subspaces import CONTROLS, POSITION, HalfFit, control_bases
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.statistics.auroc import auroc_influence

Probe = Literal["refitted", "fixed"]
PROBES: tuple[Probe, ...] = ("refitted", "fixed")


def measure_representation(
    source: ActivationSource,
    fits: Sequence[HalfFit],
    *,
    settings: AnalysisSettings,
    engine: Engine = IN_PROCESS,
) -> dict[Probe, DropMatrix]:
    """Both probes' matrices: each half's subspaces on the other half's base queries, averaged over the
    halves.

    A task with too few labels in a half (`labelled.MIN_PER_CLASS`) has NaN in its row and column.
    """
    tasks, reader = tuple(labelled_tasks(source, POSITION)), source.reader
    halves = query_halves(source, seed=settings.seed)
    units = [_Half(reader, fit, tasks, halves == fit.half, settings) for fit in fits]
    measured = list(engine.map(measured_half, units))
    names = tuple(task.name for task in tasks)
    return {probe: average(names, [half[probe] for half in measured], floor=0.5) for probe in PROBES}


@dataclass(frozen=True, eq=False)
class _Half:
    """What one half of the base queries fitted, to be measured on the other: a unit of work."""

    reader: FeatureReader
    fit: HalfFit
    tasks: tuple[LabelledTask, ...]
    fitted: Bool[np.ndarray, " queries"]
    settings: AnalysisSettings

    def __str__(self) -> str:
        return f"removals that half {self.fit.half} of the base queries fitted"


def measured_half(unit: _Half) -> dict[Probe, HalfScores]:
    """Every task's score under every removal, on the half that did not fit it."""
    fit, tasks, fitted, settings = unit.fit, unit.tasks, unit.fitted, unit.settings
    features = unit.reader.features(fit.layer, POSITION)
    n_draws = settings.n_random_subspaces
    removals: dict[int, Float[np.ndarray, "removals k d"]] = {}
    for a, task in enumerate(tasks):
        if (subspace := fit.subspaces.get(task.name)) is not None:
            controls = control_bases(fit, subspace, n=n_draws, seed=settings.seed)
            # A number, not -1: a method may find nothing, and a size of 0 leaves -1 open.
            drawn = controls.reshape(len(CONTROLS) * n_draws, *subspace.basis.shape)
            removals[a] = np.concatenate([subspace.basis[None], drawn])

    scores: dict[Probe, HalfScores] = {
        probe: HalfScores.empty(n_tasks=len(tasks), n_queries=len(fitted), n_draws=n_draws)
        for probe in PROBES
    }
    for b, task in enumerate(tasks):
        train, test = task.where(fitted[task.queries]), task.where(~fitted[task.queries])
        if train.shortage() or test.shortage():
            continue
        discriminant = fit_discriminant(features[train.rows], train.satisfied)
        X = features[test.rows].astype(np.float64)
        for probe, half in scores.items():
            refit = discriminant.refitted if probe == "refitted" else discriminant.blinded
            weights = np.concatenate(
                [discriminant.weight[None], *(refit(bases) for bases in removals.values())]
            )
            auroc, influence = auroc_influence(test.satisfied, X @ weights.T)
            half.write(b, auroc, influence, queries=test.queries, ablated=list(removals))
    return scores
