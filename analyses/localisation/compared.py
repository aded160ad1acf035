"""Subspaces on one footing: what each method's subspace carries of a task, at the layer that carries it.

Each is fitted on one half of the base queries, and exchanged at the prompt's end and along the response in
the other half's pairs, at the dose of one. The whole residual stream is the ceiling; a random direction and
the placebo of the difference in means are the floor. The layer is the task's own, chosen by the difference in
means: no other subspace gains by the choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd

from if_circuits.activations.interchange import apply_interchanges
from if_circuits.analyses.localisation.experiment import Experiment
from if_circuits.analyses.localisation.shifts import Shifts, joined, shifts_of, summarise
from if_circuits.analyses.localisation.subspaces import (
    ONE_DIRECTION,
    READS,
    fit_subspaces,
    nearest_cosine,
)
from if_circuits.interventions.interchange import Interchange
from if_circuits.progress import Report, Steps
from if_circuits.statistics.correction import benjamini_hochberg

PLACEBO = "placebo"


def compare_subspaces(
    experiment: Experiment, layers: Mapping[str, int | None], *, progress: Report | None = None
) -> pd.DataFrame:
    """One row per task and subspace; tasks that no layer carries have none.

    Columns: task, family, layer, subspace, rank (mean of the halves'), share with low and high, damage,
    wrong_way, cosine_probe (largest cosine with the direction that reads), p, p_adjusted, n.
    """
    steps = Steps(progress, max(1, len(experiment.tasks)))
    parts: list[pd.DataFrame] = []
    for name in experiment.tasks:
        layer = layers[name]
        if layer is not None:
            make = partial(_compared, experiment, name, layer)
            parts.append(experiment.kept.table(("subspaces", name, layer), make))
        steps.done()
    columns = ["share_placebo", "direction", "position", "dose", "full_low", "full_high"]
    if not parts:
        return pd.DataFrame({"task": [], "family": [], "layer": [], "subspace": [], "share": []})
    table = pd.concat(parts, ignore_index=True).drop(columns=columns)
    table["p_adjusted"] = benjamini_hochberg(table["p"].to_numpy())
    return table


def _compared(experiment: Experiment, name: str, layer: int) -> pd.DataFrame:
    """The rows of one task."""
    found: dict[str, list[Shifts]] = {}
    ranks: dict[str, list[int]] = {}
    cosines: dict[str, list[float]] = {}
    for half in (0, 1):
        fitted = fit_subspaces(
            experiment.source,
            experiment.labelled(name, half),
            experiment.pairs(name, half),
            layer=layer,
            model=experiment.model,
            seed=experiment.settings.seed,
        )
        tried = [Interchange(layer), *(Interchange(layer, subspace=each) for each in fitted.values())]
        if ONE_DIRECTION in fitted:
            tried.append(Interchange(layer, subspace=fitted[ONE_DIRECTION], placebo=0))
        moved = apply_interchanges(
            experiment.model, experiment.pairs(name, 1 - half), tried, max_tokens=experiment.tokens
        )
        moved["subspace"] = moved["subspace"].mask(moved["placebo"].notna(), PLACEBO)
        moved["placebo"] = moved["rank"] = pd.NA  # the placebo is a subspace of its own here
        for each in shifts_of(moved):
            found.setdefault(str(each.place["subspace"]), []).append(each)
        for method, subspace in fitted.items():
            ranks.setdefault(method, []).append(subspace.rank)
            if READS in fitted:
                cosines.setdefault(method, []).append(nearest_cosine(subspace, fitted[READS]))
    rows = summarise([joined(both) for both in found.values() if len(both) == 2], experiment.settings)
    rows["rank"] = [float(np.mean(ranks.get(method, [np.nan]))) for method in rows["subspace"]]
    rows["cosine_probe"] = [float(np.mean(cosines.get(method, [np.nan]))) for method in rows["subspace"]]
    rows.insert(1, "family", experiment.tasks[name][1].family)
    return rows
