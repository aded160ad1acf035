"""Responses, and what is known of single ones, as columns for the page: what stands behind its numbers.

The page holds as many responses as fit. Sampled ones come first, then counterfactual pairs, greedy ones and
unconstrained twins, in each kind task by task in turn, so that none crowds out another.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from if_circuits.analyses.base import AnalysisResult
from if_circuits.generation.sampling import GREEDY
from if_circuits.report.cells import Json
from if_circuits.report.inline import island
from if_circuits.report.numbers import texts

MOST_BYTES = 2_500_000
"""Of all texts together, as the page writes them; it must stay below 10 MB."""
MOST_OF_ONE = 20_000
"""Characters of one response that the page holds."""
_NAMES = ("task", "base_query", "kind", "verdict", "grade", "parameters", "prompt_id")
_KINDS = ("sampled", "counterfactual", "greedy", "unconstrained")


class Texts:
    """Texts, each held once."""

    def __init__(self) -> None:
        self.all: list[str] = [""]
        self._places: dict[str, int] = {"": 0}

    def place(self, text: str) -> int:
        """The number of a text."""
        if text not in self._places:
            self._places[text] = len(self.all)
            self.all.append(text)
        return self._places[text]


def shown_rows(responses: pd.DataFrame, counterfactual: pd.DataFrame | None) -> pd.DataFrame:
    """The responses that the page holds, with their `kind`; as many as fit."""
    constrained = responses["constrained"].astype(bool)
    drawn = responses["temperature"].to_numpy(dtype=float) != GREEDY
    kind = np.where(~constrained, "unconstrained", np.where(drawn, "sampled", "greedy"))
    parts = [responses.assign(kind=kind)]
    if counterfactual is not None and len(counterfactual):
        parts.append(counterfactual.assign(kind="counterfactual"))
    rows = pd.concat(parts, ignore_index=True)
    if "response_id" not in rows:
        rows["response_id"] = rows.index.astype(str)
    turn = rows.groupby(["kind", "task"]).cumcount()
    order = rows.assign(turn=turn, rank=rows["kind"].map(_KINDS.index)).sort_values(
        ["rank", "turn"], kind="stable"
    )
    sizes = sum(order[name].map(_size) for name in ("prompt", "response"))
    kept = order.index[(np.cumsum(sizes) <= MOST_BYTES)]
    return rows.loc[rows.index.isin(kept)].reset_index(drop=True)


def _size(text: object) -> int:
    return len(island(text[:MOST_OF_ONE]).encode()) if isinstance(text, str) else 0


def response_columns(rows: pd.DataFrame, held: Texts) -> Json:
    """The rows of `shown_rows`, column by column; texts by their number."""
    columns: Json = {
        "id": texts(rows["response_id"]),
        "truncated": [int(cut) for cut in rows["truncated"].astype(bool).tolist()],
    }
    for name in _NAMES:
        columns[name] = [held.place(text) for text in texts(rows[name])] if name in rows else [0] * len(rows)
    columns["prompt"] = [held.place(text[:MOST_OF_ONE]) for text in texts(rows["prompt"])]
    said = texts(rows["response"])
    columns["response"] = [held.place(text[:MOST_OF_ONE]) for text in said]
    columns["cut"] = [len(text) if len(text) > MOST_OF_ONE else 0 for text in said]
    reasons = texts(rows["reason"]) if "reason" in rows else [""] * len(rows)
    columns["reason"] = [held.place(text[:MOST_OF_ONE]) for text in reasons]
    return columns


def score_groups(results: Mapping[str, AnalysisResult], rows: pd.DataFrame) -> dict[str, list[Json]]:
    """Ranks of single responses under the probes of each analysis, of those that the page holds.

    A group is one task on one kind of labels: the numbers of its responses, their folds, and by
    task trained on or layer the rank of each in its fold, in thousandths; -1 where it has none.
    """
    place = {name: number for number, name in enumerate(rows["response_id"].tolist())}
    found: dict[str, list[Json]] = {}
    for name, result in results.items():
        table = result.tables.get("scores")
        if table is None or "score_rank" not in table:
            continue
        by = "train_task" if "train_task" in table else "layer"
        table = table[table["response_id"].isin(list(place))]
        for (labels, task), part in table.groupby(["labels", "task"], sort=False):
            wide = part.pivot(index="response_id", columns=by, values="score_rank")
            folds = part.drop_duplicates("response_id").set_index("response_id")["fold"].loc[wide.index]
            ranks = (wide * 1000).round().fillna(-1).astype(int)
            found.setdefault(name, []).append(
                {
                    "labels": str(labels),
                    "task": str(task),
                    "responses": [place[each] for each in wide.index.tolist()],
                    "folds": [int(fold) for fold in folds.tolist()],
                    "ranks": {
                        str(column if by == "train_task" else int(column)): ranks[column].tolist()
                        for column in ranks.columns
                    },
                }
            )
    return found


def answer_columns(result: AnalysisResult | None, held: Texts) -> Json:
    """The answers of the intact model, under removals and under controls, where they were kept."""
    columns = ("task", "prompt_id", "ablated", "control", "verdict", "prompt", "response", "reason")
    table = None if result is None else result.tables.get("answers")
    if table is None:
        return {name: [] for name in columns}
    control = table["condition"].str.contains("/", regex=False)
    return {
        "control": [int(each) for each in control.tolist()],
        **{
            name: [held.place(text[:MOST_OF_ONE]) for text in texts(table[name])]
            for name in columns
            if name != "control"
        },
    }
