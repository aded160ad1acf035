"""How often a study's verdicts say "supported" where there is nothing to find: its labels exchanged.

The activations stay. Within each task base queries exchange their labels, all of a base query's together, so
that what its responses have in common stays in common. In counterfactual pairs a coin for each base query
says whether the two labels change places. After that no activation says which label a response has, and
"supported" is an error for every claim that something is there to be read. A claim that something is absent,
as that transfer is weak, may be supported by nothing at all; its rate says how far its own controls prevent
that.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from if_circuits.activations.captured import CapturedActivations
from if_circuits.analyses.base import ON_ACTIVATIONS
from if_circuits.io.code import code_digest
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.nulls.draws import Drawn, Null
from if_circuits.study.pipeline import open_activations
from if_circuits.study.prompting import unmeasured
from if_circuits.tasks.labels import Label

_LABEL = ["verdict", "reason"]
_OTHER = {Label.SATISFIED.value: Label.VIOLATED.value, Label.VIOLATED.value: Label.SATISFIED.value}


def exchanged_labels(directory: StudyDirectory) -> Null:
    """The null of a study's own activations with the labels of other base queries.

    What exchanges activations in the model is left out: labels alone say nothing of it.
    """
    source = open_activations(directory, without=unmeasured(directory))

    def draw(number: int) -> Drawn:
        return exchange_labels(source, seed=number), {}

    # Nothing of a draw lies on disk.
    return Null("labels", draw, lambda _: None, labels_code(), ON_ACTIVATIONS)


def labels_code() -> str:
    """Digest of what exchanges labels."""
    return code_digest(exchange_labels)


def exchange_labels(source: CapturedActivations, *, seed: int) -> CapturedActivations:
    """The same responses and activations, with the labels of other base queries."""
    rng = np.random.default_rng(seed)
    pairs = source.counterfactual
    if pairs is not None:
        flipped = _flip_pairs(pairs.responses, rng)
        pairs = CapturedActivations(flipped, pairs.store, base_queries=source.base_queries)
    return CapturedActivations(_exchange(source.responses, rng), source.store, counterfactual=pairs)


def _exchange(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Each base query with the labels of another that has as many responses of each kind to the task."""
    label = [name for name in _LABEL if name in rows]
    order = rows.sort_values(["task", "base_query", "constrained", "prompt_id", "sample"], kind="stable")
    found = order[label].copy()
    for _, of_task in order.groupby("task", sort=True):
        blocks: dict[tuple[bool, ...], list[pd.Index]] = {}
        for _, block in of_task.groupby("base_query", sort=True):
            blocks.setdefault(tuple(block["constrained"]), []).append(block.index)
        for alike in blocks.values():
            for to, given in enumerate(rng.permutation(len(alike))):
                found.loc[alike[to]] = order.loc[alike[given], label].to_numpy()
    return rows.assign(**{name: found[name].reindex(rows.index) for name in label})


def _flip_pairs(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A coin for each task and base query says whether both labels of its pairs change places."""
    groups = rows.groupby(["task", "base_query"], sort=True).ngroup().to_numpy()
    flip = (rng.random(groups.max(initial=-1) + 1) < 0.5)[groups]
    return rows.assign(verdict=rows["verdict"].where(~flip, rows["verdict"].map(_OTHER)))
