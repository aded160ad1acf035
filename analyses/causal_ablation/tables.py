"""The tables of causal ablation: matrices cell by cell, a summary of each, and what was fitted to remove."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from if_circuits.analyses.causal_ablation.drop_matrix import DropMatrix
from if_circuits.analyses.causal_ablation.edges import Edges
from if_circuits.analyses.shared.labelled_tasks import LabelledTask
from if_circuits.analyses.shared.task_subspaces import CONTROLS, HalfFit
from if_circuits.erasure.inlp import InlpSubspace


def cells(
    name: str,
    drops: DropMatrix,
    edges: Edges,
    n: Int[np.ndarray, " b"],
    p_mcnemar: Float[np.ndarray, "a b"] | None,
) -> pd.DataFrame:
    """One matrix in long form."""
    a, b = (index.ravel() for index in np.indices(edges.p.shape))
    names = np.array(drops.tasks)
    columns = {
        "matrix": name,
        "ablated": names[a],
        "measured": names[b],
        "after": drops.after[a, b],
        "excess": drops.excess[a, b],
        "low": edges.low[a, b],
        "high": edges.high[a, b],
        **{f"drop_{kind}": drops.control_drop[kind][a, b] for kind in CONTROLS},
        "control_sd": drops.control_sd[a, b],
        "p_rank": drops.p_rank[a, b],
        "p": edges.p[a, b],
        "p_adjusted": edges.p_adjusted[a, b],
        "p_mcnemar": np.nan if p_mcnemar is None else p_mcnemar[a, b],
        "survives": edges.survives[a, b],
        "measurable": (edges.measurable[:, None] & edges.measurable)[a, b],
        "score_above_floor": drops.score[b],
        "n": n[b],
    }
    return pd.DataFrame(columns)


def summary_of(name: str, drops: DropMatrix, edges: Edges) -> dict[str, object]:
    """One matrix in one row: how many edges it has, and how one-way they are."""
    return {
        "matrix": name,
        "measurable_tasks": int(edges.measurable.sum()),
        "edges": int(edges.survives.sum()),
        "share": edges.share.estimate,
        "low": edges.share.low,
        "high": edges.share.high,
        "asymmetry": edges.asymmetry,
        "asymmetry_null": edges.asymmetry_null,
        "asymmetry_p": edges.asymmetry_p,
        "n": len(drops.influence),
    }


def subspaces_of(
    tasks: Sequence[LabelledTask], fits: Sequence[HalfFit], halves: Int[np.ndarray, " queries"]
) -> pd.DataFrame:
    """Layer and rank of every fit, or why a task has none."""
    rows = [
        {
            "task": task.name,
            "half": fit.half,
            "layer": fit.layer,
            "rank": fit.subspaces[task.name].rank if task.name in fit.subspaces else np.nan,
            "n": int((halves[task.queries] == fit.half).sum()),
            "reason": fit.reasons.get(task.name, ""),
        }
        for task in tasks
        for fit in fits
    ]
    table = pd.DataFrame(rows)
    table.insert(5, "n_over_d", table["n"] / fits[0].background.shape[1])
    return table


def inlp_curves(fits: Sequence[HalfFit]) -> pd.DataFrame:
    """Held-out AUROC after every iteration of INLP, with its interval; no rows for another method."""
    parts = [
        pd.DataFrame(
            {
                "task": task,
                "half": fit.half,
                "iteration": np.arange(len(found.held_out)),
                "held_out_auroc": found.held_out,
                "low": found.low,
                "high": found.high,
                "C": found.C,
                "stopped": found.stopped,
            }
        )
        for fit in fits
        for task, found in fit.subspaces.items()
        if isinstance(found, InlpSubspace)
    ]
    columns = ["task", "half", "iteration", "held_out_auroc", "low", "high", "C", "stopped"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
