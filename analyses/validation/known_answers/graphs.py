"""Edges and groups of tasks: those that a study found, against those that were planted.

The rules are those of `answers`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy.cluster.hierarchy import fcluster
from scipy.sparse.csgraph import connected_components
from scipy.stats import binomtest
from sklearn.metrics import adjusted_rand_score

from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.shared.both_labels import NATURAL, of_labels
from if_circuits.analyses.validation.known_answers.answer import Answer, Right
from if_circuits.planting.mechanism import DEPENDENCY, Mechanism
from if_circuits.plotting.clustering import linkage_of

ENOUGH = 0.8
"""Recall, precision and Rand index from which a graph or a clustering counts as recovered."""


def edges_in_log_odds(result: AnalysisResult, mechanism: Mechanism) -> list[Answer]:
    """Edges of each way of changing a direction, among the pairs that have a share."""
    table = result.tables.get("dependencies", pd.DataFrame())
    if table.empty:
        return []
    named = table.rename(columns={"changed": "ablated", "share": "excess"})
    named = named[named["excess"].notna()]
    return [
        answer
        for way, cells in named.groupby("way", sort=False)
        for answer in edges_of(cells, mechanism, f"edges in log-odds, {way}")
    ]


def edges_of(cells: pd.DataFrame, mechanism: Mechanism, name: str) -> list[Answer]:
    """Recall, precision and direction of the edges among measurable cells: ablated, measured, survives, and
    excess with low, high and n.
    """
    cells = cells[cells["ablated"] != cells["measured"]]
    planted_of = mechanism.edges()
    planted = np.array(
        [planted_of.get((a, b), False) for a, b in zip(cells["ablated"], cells["measured"], strict=True)],
        dtype=bool,
    )
    found = cells["survives"].to_numpy(dtype=bool)
    both = int((planted & found).sum())
    answers: list[Answer] = []
    if planted.any():
        answers.append(_share(f"{name}: recall", both, int(planted.sum()), f"{int(planted.sum())} edges"))
    if found.any() or len(cells):
        missed = f"{int(planted.sum())} of {len(cells)} measurable pairs"
        answers.append(_share(f"{name}: precision", both, int(found.sum()), missed))
    first, second = DEPENDENCY
    if planted_of.get((first, second)) and not planted_of.get((second, first)):
        answers.append(_one_way(cells, name))
    return answers


def _share(question: str, hits: int, n: int, planted: str) -> Answer:
    """A share of edges with its Wilson interval; none found counts as right where none was planted."""
    if n == 0:
        right: Right = "right" if planted.startswith("0 ") else "undecided"
        return Answer(question, planted, "no edges", right, np.nan, np.nan, np.nan, 0)
    share = binomtest(hits, n).proportion_ci(method="wilson")
    right = "right" if hits / n >= ENOUGH else "wrong"
    return Answer(question, planted, f"{hits} of {n}", right, hits / n, share.low, share.high, n)


def _one_way(cells: pd.DataFrame, name: str) -> Answer:
    """The planted dependency and its reverse; the effect is that of the planted way."""
    first, second = DEPENDENCY
    question, planted = f"{name}: direction", f"{first} -> {second} only"
    pairs = cells.assign(way=cells["ablated"] + " -> " + cells["measured"])
    pairs = pairs[pairs["way"].isin([f"{first} -> {second}", f"{second} -> {first}"])]
    forth = pairs[pairs["ablated"] == first]
    if len(pairs) < 2:
        return Answer(question, planted, "not measurable", "undecided", np.nan, np.nan, np.nan, 0)
    ways = pairs.loc[pairs["survives"].astype(bool), "way"].tolist()
    found = " and ".join(ways) + (" only" if len(ways) == 1 else "") if ways else "neither way"
    right: Right = "right" if found == planted else "undecided" if not ways else "wrong"
    effect, low, high, n = forth[["excess", "low", "high", "n"]].to_numpy(dtype=np.float64)[0].tolist()
    return Answer(question, planted, found, right, effect, low, high, int(n))


def transfer_matrix(result: AnalysisResult) -> tuple[list[str], Float[np.ndarray, "tasks tasks"]]:
    """Tasks, and the AUROC of each row's probe on each column's responses, natural labels."""
    cells = of_labels(result.table[result.table["reason"] == ""], NATURAL)
    names = list(dict.fromkeys(cells["task"]))
    wide = cells.pivot(index="train_task", columns="task", values="auroc")
    return names, wide.reindex(index=names, columns=names).to_numpy(dtype=np.float64)


def clusters_of_transfer(result: AnalysisResult, mechanism: Mechanism) -> Answer:
    names, matrix = transfer_matrix(result)
    question, planted = "clusters of transfer", [mechanism.gates[name][0] for name in names]
    told = f"{len(set(planted))} groups"
    if len(names) < 2:
        return Answer(question, told, "too few tasks", "undecided", np.nan, np.nan, np.nan, len(names))
    excess = matrix - 0.5
    # A task that its own probe hardly reads belongs with whatever other probes read as well.
    own = np.sqrt(np.outer(*[np.clip(np.diag(excess), 1e-3, None)] * 2))
    mutual = np.clip((excess + excess.T) / 2 / own, -1.0, 1.0)
    return _grouping(question, planted, fcluster(linkage_of(mutual), t=0.5, criterion="distance").tolist())


def clusters_of_interchange(result: AnalysisResult, mechanism: Mechanism) -> list[Answer]:
    """Groups of tasks between which interchange finds edges both ways."""
    table = result.tables.get("dependencies", pd.DataFrame())
    if table.empty:
        return []
    cells = table[(table["way"] == "interchange") & table["share"].notna()]
    names = sorted({*cells["changed"], *cells["measured"]})
    if len(names) < 2:
        return []
    kept = cells[cells["survives"].astype(bool)]
    found = set(zip(kept["changed"], kept["measured"], strict=True))
    mutual = np.array([[(a, b) in found and (b, a) in found for b in names] for a in names], dtype=bool)
    groups = connected_components(mutual, directed=False)[1].tolist()
    return [_grouping("clusters of interchange", [mechanism.gates[name][0] for name in names], groups)]


def _grouping(question: str, planted: Sequence[object], found: Sequence[int]) -> Answer:
    """How far a grouping of tasks is the planted one: the adjusted Rand index."""
    index = float(adjusted_rand_score(planted, found))
    right: Right = "right" if index >= ENOUGH else "wrong"
    told = f"{len(set(planted))} groups"
    return Answer(question, told, f"{len(set(found))} groups", right, index, np.nan, np.nan, len(planted))


def planted_matrix(mechanism: Mechanism, names: Sequence[str]) -> Bool[np.ndarray, "ablated measured"]:
    """Whether removing the row task's own direction breaks the column task; the diagonal is."""
    edges = mechanism.edges()
    return np.array([[a == b or edges[a, b] for b in names] for a in names])
