"""Verdicts beside the truth: the comparison itself, on results whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from if_circuits.analyses.base import ANALYSES, AnalysisResult, Verdict
from if_circuits.analyses.validation.known_answers.answers import compare
from if_circuits.analyses.validation.known_answers.directions import METHODS
from if_circuits.analyses.validation.known_answers.figure import Recovered, cells_of, figure
from if_circuits.analyses.validation.simulation.responses import TASKS
from if_circuits.planting.mechanism import KINDS, Kind, Mechanism, plant

SEPARATE = ("cross_task_transfer", "representational_similarity")
"""Analyses whose claim is that tasks have mechanisms of their own."""
VERDICTS = tuple(name for name in ANALYSES if name != "specialist_vs_general")
"""Of specialists the study draws none."""
CAUSAL = {
    "universal": "not supported",
    "compositional": "inconclusive",
    "clustered": "supported",
    "monitoring": "supported",
}
"""Few edges, one-way: not where every task depends on every other; nothing to say where none does."""


def ought_to_be(kind: Kind) -> dict[str, str]:
    """The verdict of each analysis on a model of the kind, written down here and not taken from the code."""
    one = kind == "universal"
    return {
        **dict.fromkeys(SEPARATE, "not supported" if one else "supported"),
        "causal_ablation": CAUSAL[kind],
        "localisation": "not supported",
        "layer_stratification": "not supported",
        "temporal_dynamics": "supported" if kind == "monitoring" else "not supported",
        "specificity": "supported",
    }


FAMILIES = (
    {"word_count", "character_count", "json_format"},
    {"term_inclusion", "term_exclusion"},
    {"topic", "sentiment", "toxicity"},
    {"register"},
)


def breaks(kind: Kind, ablated: str, measured: str) -> bool:
    """Whether a removal breaks another task: all, none, or those of a family, and topic needs register."""
    if kind in ("universal", "compositional"):
        return kind == "universal"
    same = any({ablated, measured} <= family for family in FAMILIES)
    return same or (ablated, measured) == ("register", "topic")


def mechanism_of(kind: Kind) -> Mechanism:
    return plant(kind, seed=0, d_model=16, c=1.0)


def perfect(mechanism: Mechanism, *, p_families: float = 0.5) -> dict[str, AnalysisResult]:
    """Results that say exactly what was planted."""
    verdicts = ought_to_be(mechanism.kind)
    results = {
        name: AnalysisResult(
            name, pd.DataFrame(), Verdict(name, verdicts[name], 0.3, (0.2, 0.4), 0.01, 100, "rule")
        )  # pyright: ignore
        for name in VERDICTS
    }
    names = list(TASKS)
    shared = np.array([[a == b or breaks(mechanism.kind, a, b) for b in names] for a in names])
    a, b = (axis.ravel() for axis in np.indices(shared.shape))
    cells = pd.DataFrame({"ablated": np.array(names)[a], "measured": np.array(names)[b]})
    cells = cells.assign(
        survives=(shared & ~np.eye(9, dtype=bool))[a, b],
        measurable=True,
        excess=shared[a, b] * 0.5,
        low=0.1,
        high=0.6,
        n=24,
    )
    matrices = [cells.assign(matrix=name) for name in ("behaviour", "refitted probe", "fixed probe")]
    same = np.array([[mechanism.gates[x][0] == mechanism.gates[y][0] for y in names] for x in names])
    transfer = pd.DataFrame(
        {
            "train_task": np.array(names)[a],
            "task": np.array(names)[b],
            "auroc": 0.5 + 0.4 * same[a, b],
            "reason": "",
        }
    ).assign(labels="natural")
    families = pd.DataFrame([{"p": p_families, "labels": "natural"}])
    emergence = pd.DataFrame({"task": names, "layer": "2", "labels": "natural"})
    carried = pd.DataFrame({"task": names, "layer": ["nowhere", *["2"] * 8]})
    dependencies = cells[["ablated", "measured", "low", "high", "n"]].rename(columns={"ablated": "changed"})
    dependencies = dependencies.assign(
        way="interchange", share=shared[a, b] * 0.5, survives=(shared & ~np.eye(9, dtype=bool))[a, b]
    )
    found = {"carried": carried, "dependencies": dependencies}
    results["localisation"] = replace(results["localisation"], tables=found)
    growth = [0.3 if mechanism.waits(name) else -0.3 for name in names]
    advantages = pd.DataFrame({"task": names, "growth": growth, "p_holm": 0.01, "labels": "natural"})
    results["temporal_dynamics"] = replace(results["temporal_dynamics"], tables={"advantages": advantages})
    results["causal_ablation"] = replace(
        results["causal_ablation"], table=pd.concat(matrices, ignore_index=True)
    )
    results["cross_task_transfer"] = replace(
        results["cross_task_transfer"], table=transfer, tables={"families": families}
    )
    results["layer_stratification"] = replace(
        results["layer_stratification"], tables={"emergence": emergence}
    )
    return results


def cosines(value: float) -> pd.DataFrame:
    return pd.DataFrame(
        [{"task": task, "method": method, "cosine": value} for task in TASKS for method in METHODS]
    )


def answers_of(
    kind: Kind, results: dict[str, AnalysisResult] | None = None, *, cosine: float = 0.95
) -> pd.DataFrame:
    mechanism = mechanism_of(kind)
    given = (
        perfect(mechanism, p_families=0.001 if mechanism.structure == "clustered" else 0.5)
        if results is None
        else results
    )
    return compare(given, cosines(cosine), mechanism, alpha=0.05).set_index("question")


@pytest.mark.parametrize("kind", KINDS)
def test_a_study_that_says_what_was_planted_is_right_in_every_question(kind: Kind) -> None:
    found = answers_of(kind)
    assert set(found["right"]) == {"right"}, found[found["right"] != "right"]
    assert found.loc["mechanism", "found"] == mechanism_of(kind).structure
    assert ("edges in behaviour: recall" in found.index) == (kind != "compositional")
    assert ("edges in behaviour: direction" in found.index) == (mechanism_of(kind).structure == "clustered")


@pytest.mark.parametrize(
    ("claimed", "planted"),
    [("universal", "compositional"), ("compositional", "universal"), ("universal", "clustered")],
)
def test_the_results_of_another_mechanism_are_wrong(claimed: Kind, planted: Kind) -> None:
    found = answers_of(planted, perfect(mechanism_of(claimed)))
    wrong = ("mechanism", "cross_task_transfer", "representational_similarity")
    assert set(found.loc[list(wrong), "right"]) == {"wrong"}
    assert found.loc["clusters of transfer", "right"] == "wrong"


def test_clusters_tell_families_from_nine_mechanisms() -> None:
    found = answers_of("clustered", perfect(mechanism_of("compositional")))
    assert found.loc["mechanism", ["found", "right"]].tolist() == ["compositional", "wrong"]


@pytest.mark.parametrize(
    ("claimed", "planted", "groups"),
    [("universal", "compositional", 1), ("compositional", "universal", 9), ("clustered", "universal", 4)],
)
def test_groups_of_interchange_are_tasks_that_change_each_other(
    claimed: Kind, planted: Kind, groups: int
) -> None:
    """`topic` needs `register` and not the reverse, which makes them no group."""
    found = answers_of(planted, perfect(mechanism_of(claimed))).loc["clusters of interchange"]
    assert (found["found"], found["right"]) == (f"{groups} groups", "wrong")
    truly = answers_of(claimed).loc["clusters of interchange"]
    assert (truly["found"], truly["right"], truly["effect"]) == (f"{groups} groups", "right", 1.0)


def test_a_removal_makes_no_group() -> None:
    results = perfect(mechanism_of("universal"))
    tables = dict(results["localisation"].tables)
    tables["dependencies"] = tables["dependencies"].assign(way="removal")
    results["localisation"] = replace(results["localisation"], tables=tables)
    assert "clusters of interchange" not in answers_of("universal", results).index


def test_what_is_described_is_no_answer() -> None:
    results = perfect(mechanism_of("universal"))
    told = Verdict("specialists", "described", 0.03, (0.02, 0.04), 0.01, 100, "rule")
    results["specialist_vs_general"] = AnalysisResult("specialist_vs_general", pd.DataFrame(), told)
    assert "specialist_vs_general" not in answers_of("universal", results).index


def test_inconclusive_is_undecided_and_not_wrong() -> None:
    results = perfect(mechanism_of("universal"))
    for name in VERDICTS:
        results[name] = replace(results[name], verdict=replace(results[name].verdict, verdict="inconclusive"))
    found = answers_of("universal", results)
    assert set(found.loc[[*VERDICTS, "mechanism"], "right"]) == {"undecided"}


def test_transfer_better_than_a_tasks_own_probe_is_one_cluster() -> None:
    results = perfect(mechanism_of("universal"))
    table = results["cross_task_transfer"].table
    own = table["train_task"] == table["task"]
    faint = table.assign(auroc=table["auroc"].where(~own, 0.49))
    results["cross_task_transfer"] = replace(results["cross_task_transfer"], table=faint)
    assert answers_of("universal", results).loc["clusters of transfer", "found"] == "1 groups"


def test_edges_found_both_ways_miss_the_planted_direction() -> None:
    results = perfect(mechanism_of("clustered"), p_families=0.001)
    table = results["causal_ablation"].table.copy()
    table.loc[(table["ablated"] == "topic") & (table["measured"] == "register"), "survives"] = True
    results["causal_ablation"] = replace(results["causal_ablation"], table=table)
    found = answers_of("clustered", results)
    assert found.loc["edges in behaviour: direction", "right"] == "wrong"
    assert "and" in str(found.loc["edges in behaviour: direction", "found"])
    precision = found.loc["edges in behaviour: precision"]
    assert (precision["effect"], precision["n"]) == (15 / 16, 16)
    assert precision["low"] < 15 / 16 < precision["high"]


def test_only_measurable_pairs_of_tasks_count() -> None:
    results = perfect(mechanism_of("universal"))
    table = results["causal_ablation"].table.copy()
    few = table["ablated"].isin(TASKS[:3]) & table["measured"].isin(TASKS[:3])
    results["causal_ablation"] = replace(results["causal_ablation"], table=table.assign(measurable=few))
    assert answers_of("universal", results).loc["edges in behaviour: recall", "n"] == 6


def test_far_directions_and_other_layers_are_wrong() -> None:
    results = perfect(mechanism_of("universal"))
    late = results["layer_stratification"].tables["emergence"].assign(layer="4")
    results["layer_stratification"] = replace(results["layer_stratification"], tables={"emergence": late})
    found = answers_of("universal", results, cosine=0.6)
    assert found.loc["layer of emergence", ["found", "right"]].tolist() == ["4", "wrong"]
    assert {found.loc[f"direction: {method}", "right"] for method in METHODS} == {"wrong"}


def test_timing_counts_decided_tasks_only_and_which_way_each_went() -> None:
    results = perfect(mechanism_of("monitoring"))
    table = results["temporal_dynamics"].tables["advantages"]
    row = answers_of("monitoring", results).loc["timing by task"]
    assert (row["right"], row["found"]) == ("right", "9 of 9 decided as planted")
    reverse = table.assign(growth=-table["growth"]).assign(p_holm=[0.01] * 4 + [0.9] * 5)
    mixed = pd.concat([reverse.head(2), table.iloc[2:4], reverse.iloc[4:]])
    for advantages, right, found in (
        (mixed, "wrong", "2 of 4 decided as planted"),
        (table.assign(p_holm=0.2), "undecided", "no task decided"),
    ):
        changed = replace(results["temporal_dynamics"], tables={"advantages": advantages})
        row = answers_of("monitoring", {**results, "temporal_dynamics": changed}).loc["timing by task"]
        assert (row["right"], row["found"]) == (right, found)


def test_the_figure_has_three_matrices_a_model() -> None:
    models = [
        Recovered(kind, mechanism_of(kind), results["cross_task_transfer"], results["causal_ablation"])
        for kind, results in ((kind, perfect(mechanism_of(kind))) for kind in KINDS)
    ]
    axes = [axis for axis in figure(models).axes if axis.get_title()]
    assert len(axes) == 3 * len(KINDS)
    drops = cells_of(models[2].ablation, "behaviour", TASKS, "excess")
    assert drops[TASKS.index("register"), TASKS.index("topic")] == 0.5
    assert drops[TASKS.index("topic"), TASKS.index("register")] == 0.0
