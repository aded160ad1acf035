"""How near the directions that probes and erasure methods find lie to planted ones, task by task.

At the planted layer, at `last`, each method is fitted on a task's labelled responses and its direction is
compared with the one that gates the task. Logistic probe: the normal of its boundary. INLP: its first
direction, and the share of the planted direction that lies in the whole subspace. LEACE: what it reads and
what it takes away, which differ since its projection is oblique. Mean difference: the line between the class
means.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.shared.labelled_tasks import LabelledTask, labelled_tasks
from if_circuits.analyses.shared.task_subspaces import POSITION
from if_circuits.erasure.difference_in_means import DifferenceInMeans
from if_circuits.erasure.inlp import Inlp
from if_circuits.erasure.leace import Leace
from if_circuits.planting.mechanism import Mechanism
from if_circuits.probes.methods import logistic

METHODS = (
    "logistic probe",
    "INLP, first",
    "INLP, subspace",
    "LEACE, read",
    "LEACE, removed",
    "mean difference",
)


def planted_cosines(source: ActivationSource, mechanism: Mechanism, *, seed: int) -> pd.DataFrame:
    """One row per task and method: task, family, method, cosine, others, rank, n.

    `cosine` is the absolute cosine with the task's own planted direction; of a subspace, that with its
    nearest direction. `others` is the largest absolute cosine with a planted direction that does not gate the
    task, NaN where there is none. Tasks with too few labels are left out.
    """
    features = source.features(mechanism.layer, POSITION)
    rows: list[dict[str, object]] = []
    for task in labelled_tasks(source, POSITION):
        if task.shortage() or task.name not in mechanism.gates:
            continue
        gates = mechanism.gates[task.name]
        foreign = [u for name, u in mechanism.directions.items() if name not in gates]
        for method, basis in _bases(features[task.rows], task, seed=seed).items():
            rows.append(
                {
                    "task": task.name,
                    "family": task.family,
                    "method": method,
                    "cosine": _nearest(basis, mechanism.directions[gates[0]]),
                    "others": max((_nearest(basis, u) for u in foreign), default=np.nan),
                    "rank": len(basis),
                    "n": len(task.rows),
                }
            )
    return pd.DataFrame(rows, columns=["task", "family", "method", "cosine", "others", "rank", "n"])


def _bases(
    X: Float[np.ndarray, "n d"], task: LabelledTask, *, seed: int
) -> Mapping[str, Float[np.ndarray, "k d"]]:
    """Orthonormal rows, by method."""
    y, groups = task.satisfied, task.queries
    inlp = Inlp().fit(X, y, groups=groups, seed=seed)
    leace = Leace().fit(X, y, groups=groups, seed=seed)
    gap = DifferenceInMeans().fit(X, y, groups=groups, seed=seed)
    found = {
        "logistic probe": logistic(X, y, groups=groups, seed=seed).direction[None],
        "INLP, first": inlp.basis[:1],
        "INLP, subspace": inlp.basis,
        "LEACE, read": _unit(leace.right),
        "LEACE, removed": _unit(leace.left),
        "mean difference": gap.basis,
    }
    return {method: found[method] for method in METHODS}


def _unit(vector: Float[np.ndarray, " d"]) -> Float[np.ndarray, "1 d"]:
    length = np.linalg.norm(vector)
    return (vector / length if length else vector)[None]


def _nearest(basis: Float[np.ndarray, "k d"], direction: Float[np.ndarray, " d"]) -> float:
    """Cosine of the angle between a direction and a subspace."""
    return float(np.linalg.norm(basis @ direction))
