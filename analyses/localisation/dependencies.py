"""Dependencies in log-odds: does moving one task's direction move another task?

Task A's direction is the difference in means, fitted on one half of the base queries, at the layer that
carries A. It is changed in the other half's pairs of task B, at the prompt's end and along the response, in
two ways:

- *interchange*: A's component takes the value of B's other run. It moves B only where what tells B's two
  prompts apart lies along A's direction: a shared mechanism.
- *removal*: A's component is set to its mean over A's violated responses. It moves B where B needs A,
  whether or not B's own prompt touches it.

Each stands beside a random displacement of the same length. What is an edge is said in `edges`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from if_circuits.analyses.localisation.edges import edge_table, isolation_table
from if_circuits.analyses.localisation.experiment import Experiment, Trial
from if_circuits.analyses.localisation.shifts import Shifts, joined, shifts_of
from if_circuits.analyses.localisation.subspaces import along_response, one_direction
from if_circuits.interventions.hooks import Intervention
from if_circuits.interventions.interchange import Interchange
from if_circuits.interventions.patching import Donor
from if_circuits.progress import Report


@dataclass(frozen=True, eq=False)
class Removal(Interchange):
    """What lies in a subspace is set to one value at every token, whatever the other run holds."""

    value: Float[np.ndarray, " d"] = field(kw_only=True)

    def intervention(self, donor: Donor) -> Intervention:
        """The removal in any run that is no longer than the donor's."""
        length = int(donor.lengths.max())
        value = torch.as_tensor(self.value, dtype=torch.float32).expand(1, length, -1)
        one = torch.ones(1, dtype=torch.long)
        constant = Donor({self.layer: value}, one, length * one, name="violated")
        return super().intervention(constant)


def measure_dependencies(
    experiment: Experiment, layers: Mapping[str, int | None], *, progress: Report | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What `edges.edge_table` and `edges.isolation_table` make of every pair of tasks.

    Tasks that no layer carries are measured and not changed.
    """
    fitted = [_fit(experiment, layers, half) for half in (0, 1)]
    trials = [
        Trial(
            ("dependencies", measured, half, [(each.layer, each.record()["subspace"]) for each in tried]),
            pairs,
            tried,
            experiment.tokens,
        )
        for measured in experiment.tasks
        for half, tried in enumerate(fitted)
        if tried and len(pairs := experiment.pairs(measured, 1 - half))
    ]
    found: dict[tuple[str, str], list[Shifts]] = {}
    for trial, moved in zip(trials, experiment.moved(trials, progress=progress), strict=True):
        for each in shifts_of(moved):
            found.setdefault((str(trial.what[1]), str(each.place["subspace"])), []).append(each)
    cells: dict[tuple[str, str, str], Shifts] = {}
    for (measured, name), both in found.items():
        if len(both) == 2:
            way, _, changed = name.partition(": ")  # as `_fit` names them
            cells[way, changed, measured] = joined(both)
    families = {name: task.family for name, (_, task) in experiment.tasks.items()}
    edges = edge_table(cells, families, experiment.settings)
    return edges, isolation_table(edges)


def _fit(experiment: Experiment, layers: Mapping[str, int | None], half: int) -> list[Interchange]:
    """Both ways of changing each carried task's direction, as one half fits it, each before its placebo."""
    changes: list[Interchange] = []
    for name in experiment.tasks:
        if (layer := layers[name]) is None:
            continue
        train = experiment.labelled(name, half)
        subspace = one_direction(experiment.source, train, [layer]).get(layer)
        if subspace is None:
            continue
        violated = along_response(experiment.source, layer, train.rows)[~train.satisfied].mean(axis=0)
        taken, shut = (replace(subspace, name=f"{way}: {name}") for way in ("interchange", "removal"))
        for draw in (None, 0):
            changes.append(Interchange(layer, subspace=taken, placebo=draw))
            changes.append(Removal(layer, subspace=shut, placebo=draw, value=violated))
    return changes
