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

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from if_circuits.analyses.base import ANALYSES, AnalysisResult
from if_circuits.analyses.shared.both_labels import NATURAL, of_labels
from if_circuits.analyses.validation.known_answers.answer import Answer, Right
from if_circuits.analyses.validation.known_answers.directions import METHODS
from if_circuits.analyses.validation.known_answers.graphs import (
    ENOUGH,
    clusters_of_interchange,
    clusters_of_transfer,
    edges_in_log_odds,
    edges_of,
)
from if_circuits.planting.mechanism import Mechanism
from if_circuits.statistics.bootstrap import cluster_bootstrap, weighted_mean

NEAR = 0.5**0.5
"""Cosine from which a direction counts as found."""


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
            answers += edges_of(cells, mechanism, f"edges in {matrix}")
    if "cross_task_transfer" in results:
        answers.append(clusters_of_transfer(results["cross_task_transfer"], mechanism))
    if "layer_stratification" in results:
        emergence = of_labels(results["layer_stratification"].tables["emergence"], NATURAL)
        answers.append(_layer("layer of emergence", emergence, mechanism))
    if "localisation" in results:
        carried = results["localisation"].tables.get("carried", pd.DataFrame({"layer": []}))
        answers.append(_layer("layer that carries", carried, mechanism))
        answers += edges_in_log_odds(results["localisation"], mechanism)
        answers += clusters_of_interchange(results["localisation"], mechanism)
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
