"""The control distribution of a cell: its AUROC when base queries exchange their labels.

From the scores of single responses, which a study keeps. The scores stay as they are and the labels move, so
this is what the same probe would get if its scores had nothing to do with the labels. Counterfactual pairs
have nothing to exchange, since every base query holds both labels: in a random half of them the two labels
change places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.shared.both_labels import COUNTERFACTUAL
from if_circuits.analyses.shared.decodability import exchange_labels, flip_labels
from if_circuits.report.cells import Json
from if_circuits.report.numbers import num
from if_circuits.statistics.auroc import crossed_aurocs
from if_circuits.tasks.labels import is_satisfied

_DRAWS = 100
_BY = {"cross_task_transfer": "train_task", "layer_stratification": "layer"}

Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Null:
    """Mean and standard deviation by analysis, labels, train task or layer, and task."""

    found: Mapping[Key, tuple[float, float]] = field(default_factory=dict[Key, tuple[float, float]])

    def of(self, analysis: str, labels: object, by: object, task: object) -> list[Json]:
        """The control of one cell, in the form of a cell's `controls`; none where scores were not kept."""
        known = self.found.get((analysis, str(labels), _text(by), str(task)))
        if known is None:
            return []
        name = (
            "labels of pairs exchanged"
            if labels == COUNTERFACTUAL
            else "labels exchanged between base queries"
        )
        return [{"name": name, "mean": num(known[0]), "sd": num(known[1])}]


def exchanged(results: Mapping[str, AnalysisResult], labelled: pd.DataFrame) -> Null:
    """The control distributions of every cell whose scores were kept.

    `labelled` has response_id, base_query and verdict of natural and counterfactual rows.
    """
    rows = labelled.drop_duplicates("response_id").set_index("response_id")
    found: dict[Key, tuple[float, float]] = {}
    for analysis, by in _BY.items():
        result = results.get(analysis)
        table = None if result is None else result.tables.get("scores")
        if table is None or table.empty or not set(table["response_id"]) <= set(rows.index):
            continue
        for (labels, task), part in table.groupby(["labels", "task"], sort=False):
            wide = part.pivot(index="response_id", columns=by, values="score")
            wide = wide[np.isfinite(wide).all(axis=1)]
            if wide.empty:
                continue
            own = rows.loc[wide.index]
            fold = part.drop_duplicates("response_id").set_index("response_id").loc[wide.index, "fold"]
            y = is_satisfied(own)
            queries = pd.factorize(own["base_query"])[0]
            permute = flip_labels if labels == COUNTERFACTUAL else exchange_labels
            drawn = permute(y, queries, n_permutations=_DRAWS, seed=0).T
            values = crossed_aurocs(drawn, wide.to_numpy(dtype=np.float64), strata=fold.to_numpy())
            for name, row in zip(wide.columns, values, strict=True):
                if (known := row[np.isfinite(row)]).size > 1:
                    key = (analysis, str(labels), _text(name), str(task))
                    found[key] = (float(known.mean()), float(known.std()))
    return Null(found)


def _text(by: object) -> str:
    return str(int(by)) if isinstance(by, (int, float, np.integer, np.floating)) else str(by)
