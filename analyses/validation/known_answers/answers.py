"""Does the method find what was planted? A study's verdicts beside the truth of a model with a planted
mechanism.

`compare` takes what a study found, unchanged, and the `Mechanism` that its model was trained to have, and
gives one row a question. An answer is *right*, *wrong*, or *undecided*: a verdict that says inconclusive
where there was something to say. Rules beyond the verdicts' own:

- mechanism: `universal` when neither weak transfer nor few shared representations is supported and both are
  rejected; when both are supported, `clustered` if transfer within families exceeds that between them (p <=
  alpha), else `compositional`; otherwise undecided.
- edges: those that survive in a causal matrix, against those planted, among the tasks that the matrix can
  measure. Recall and precision count as right from `ENOUGH` up; without planted edges there is no recall, and
  precision is that of none found. Direction: of the planted one-way dependency, only the planted way is
  found.
- clusters: tasks whose mutual transfer reaches half of their own belong together (average linkage); right
  when the adjusted Rand index with the planted groups reaches `ENOUGH`.
- clusters of interchange: tasks whose directions change each other, both ways, belong together, and so do
  those that share a partner; judged as the clusters of transfer.
- layer: the median layer at which tasks emerge, or are carried, is the planted one.
- timing by task: of the tasks whose growth of advantage is decided (Holm over tasks <= alpha), `ENOUGH` fall
  where they plan and grow where they monitor. A verdict on their mean can hide one that does otherwise.
- directions: the mean cosine with the planted direction reaches `NEAR`, half of the variance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy.cluster.hierarchy import fcluster
from scipy.sparse.csgraph import connected_components
from scipy.stats import binomtest
from sklearn.metrics import adjusted_rand_score

from if_circuits.analyses.base import ANALYSES, AnalysisResult
from if_circuits.analyses.shared.both_labels import NATURAL, of_labels
from if_circuits.analyses.validation.known_answers.directions import METHODS
from if_circuits.planting.mechanism import DEPENDENCY, Mechanism
from if_circuits.plotting.clustering import linkage_of
from if_circuits.statistics.bootstrap import cluster_bootstrap, weighted_mean

ENOUGH = 0.8
"""Recall, precision and Rand index from which a graph or a clustering counts as recovered."""
NEAR = 0.5**0.5
"""Cosine from which a direction counts as found."""

Right = Literal["right", "wrong", "undecided"]


@dataclass(frozen=True)
class Answer:
    """One question, what was planted and what was found."""

    question: str
    planted: str
    found: str
    right: Right
    effect: float
    low: float
    high: float
    n: int
    """What the interval counts: base queries, pairs of tasks or tasks."""


def compare(
    results: Mapping[str, AnalysisResult], cosines: pd.DataFrame, mechanism: Mechanism, *, alpha: float
) -> pd.DataFrame:
    """One row a question: the fields of `Answer`. `cosines` come from `planted_directions.planted_cosines`.

    Questions of analyses that were not done are left out.
    """
    planted = planted_verdicts(mechanism)
    answers: list[Answer] = []
    if {"cross_task_transfer", "representational_similarity"} <= set(results):
        answers.append(_mechanism(results, mechanism, alpha=alpha))
    drawn = [name for name in ANALYSES if name in {*results} & {*planted}]
    answers += [_verdict(results[name], planted[name]) for name in drawn]
    if "causal_ablation" in results:
        table = results["causal_ablation"].table
        for matrix in ("behaviour", "refitted probe", "fixed probe"):
            cells = table[(table["matrix"] == matrix) & table["measurable"]]
            answers += _edges(cells, mechanism, f"edges in {matrix}")
    if "cross_task_transfer" in results:
        answers.append(_clusters(results["cross_task_transfer"], mechanism))
    if "layer_stratification" in results:
        emergence = of_labels(results["layer_stratification"].tables["emergence"], NATURAL)
        answers.append(_layer("layer of emergence", emergence, mechanism))
    if "localisation" in results:
        carried = results["localisation"].tables.get("carried", pd.DataFrame({"layer": []}))
        answers.append(_layer("layer that carries", carried, mechanism))
        answers += _edges_in_log_odds(results["localisation"], mechanism)
        answers += _clusters_of_edges(results["localisation"], mechanism)
    if "temporal_dynamics" in results:
        answers.append(_timing(results["temporal_dynamics"], mechanism, alpha=alpha))
    answers += [_direction(cosines, method) for method in METHODS]
    return pd.DataFrame([asdict(answer) for answer in answers])


def planted_verdicts(mechanism: Mechanism) -> dict[str, str]:
    """What each analysis that draws a verdict ought to say, by its own claim.

    Causal ablation: one mechanism makes every pair of tasks depend on each other; nine leave no edge whose
    symmetry could be looked at, which its rule calls inconclusive. All gates lie at one layer, and are set
    only where there is a constraint.
    """
    separate = "not supported" if mechanism.structure == "universal" else "supported"
    causal = {"universal": "not supported", "compositional": "inconclusive", "clustered": "supported"}
    return {
        "cross_task_transfer": separate,
        "causal_ablation": causal[mechanism.structure],
        "localisation": "not supported",
        "layer_stratification": "not supported",
        "temporal_dynamics": "supported" if mechanism.timing == "monitoring" else "not supported",
        "representational_similarity": separate,
        "specificity": "supported",
    }


def _verdict(result: AnalysisResult, planted: str) -> Answer:
    found = result.verdict
    right: Right = "right" if found.verdict == planted else "wrong"
    if right == "wrong" and found.verdict == "inconclusive":
        right = "undecided"
    return Answer(result.name, planted, found.verdict, right, found.effect, *found.interval, found.n)


def _mechanism(results: Mapping[str, AnalysisResult], mechanism: Mechanism, *, alpha: float) -> Answer:
    transfer = results["cross_task_transfer"]
    verdicts = {transfer.verdict.verdict, results["representational_similarity"].verdict.verdict}
    found = "undecided"
    if verdicts == {"not supported"}:
        found = "universal"
    elif verdicts == {"supported"}:
        clustered = bool(_families_p(transfer) <= alpha)
        found = "clustered" if clustered else "compositional"
    planted = mechanism.structure
    right: Right = "undecided" if found == "undecided" else "right" if found == planted else "wrong"
    verdict = transfer.verdict
    return Answer("mechanism", planted, found, right, verdict.effect, *verdict.interval, verdict.n)


def _families_p(transfer: AnalysisResult) -> float:
    families = (
        of_labels(transfer.tables["families"], NATURAL) if "families" in transfer.tables else pd.DataFrame()
    )
    return float(families["p"].iloc[0]) if len(families) else float("nan")


def _edges_in_log_odds(result: AnalysisResult, mechanism: Mechanism) -> list[Answer]:
    """Those of each way of changing a direction, among the pairs that have a share."""
    table = result.tables.get("dependencies", pd.DataFrame())
    if table.empty:
        return []
    named = table.rename(columns={"changed": "ablated", "share": "excess"})
    named = named[named["excess"].notna()]
    return [
        answer
        for way, cells in named.groupby("way", sort=False)
        for answer in _edges(cells, mechanism, f"edges in log-odds, {way}")
    ]


def _edges(cells: pd.DataFrame, mechanism: Mechanism, name: str) -> list[Answer]:
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


def _clusters(result: AnalysisResult, mechanism: Mechanism) -> Answer:
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


def _clusters_of_edges(result: AnalysisResult, mechanism: Mechanism) -> list[Answer]:
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


def _layer(question: str, table: pd.DataFrame, mechanism: Mechanism) -> Answer:
    """The median layer of the tasks that have one; the interval is the range of all but the most extreme."""
    known = table.loc[~table["layer"].isin(["never", "nowhere"]), "layer"]
    layers = known.replace("embed", "-1").astype(int).to_numpy()
    planted = str(mechanism.layer)
    if len(layers) == 0:
        return Answer(question, planted, "never", "undecided", np.nan, np.nan, np.nan, 0)
    middle = float(np.median(layers))
    low, high = np.quantile(layers, [0.025, 0.975])
    right: Right = "right" if middle == mechanism.layer else "wrong"
    return Answer(question, planted, f"{middle:g}", right, middle, float(low), float(high), len(layers))


def _timing(result: AnalysisResult, mechanism: Mechanism, *, alpha: float) -> Answer:
    """Task by task: what monitors grows beyond the words along the response, what plans falls."""
    waits = {task: mechanism.waits(task) for task in mechanism.gates}
    question, planted = "timing by task", f"{sum(waits.values())} of {len(waits)} monitor"
    advantages = of_labels(result.tables["advantages"], NATURAL)
    decided = advantages[advantages["p_holm"] <= alpha]
    if decided.empty:
        return Answer(question, planted, "no task decided", "undecided", np.nan, np.nan, np.nan, 0)
    hits = sum(
        (growth > 0) == waits[str(task)]
        for task, growth in zip(decided["task"], decided["growth"], strict=True)
    )
    share = binomtest(hits, len(decided)).proportion_ci(method="wilson")
    right: Right = "right" if hits / len(decided) >= ENOUGH else "wrong"
    found = f"{hits} of {len(decided)} decided as planted"
    return Answer(question, planted, found, right, hits / len(decided), share.low, share.high, len(decided))


def _direction(cosines: pd.DataFrame, method: str) -> Answer:
    """Mean cosine over tasks; the interval resamples tasks."""
    rows = cosines[cosines["method"] == method]
    question, planted = f"direction: {method}", "cosine 1"
    if rows.empty:
        return Answer(question, planted, "no task", "undecided", np.nan, np.nan, np.nan, 0)
    values = rows["cosine"].to_numpy(dtype=np.float64)
    interval = cluster_bootstrap(rows["task"].to_numpy(), lambda w: weighted_mean(values, w), seed=0)
    right: Right = "right" if interval.estimate >= NEAR else "wrong"
    found = f"cosine {interval.estimate:.2f}"
    return Answer(question, planted, found, right, interval.estimate, *interval.bounds, len(rows))


def planted_matrix(mechanism: Mechanism, names: Sequence[str]) -> Bool[np.ndarray, "ablated measured"]:
    """Whether removing the row task's own direction breaks the column task; the diagonal is."""
    edges = mechanism.edges()
    return np.array([[a == b or edges[a, b] for b in names] for a in names])
