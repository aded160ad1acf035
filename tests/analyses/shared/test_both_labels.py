"""Natural and counterfactual labels side by side, in every probing analysis."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from if_circuits.analyses.base import AnalysisResult, get_analysis
from if_circuits.analyses.shared.both_labels import COUNTERFACTUAL, NATURAL, of_labels
from if_circuits.analyses.validation.simulation.studies import TASKS
from tests.analyses import planted
from tests.analyses.planted import small_study

SETTINGS = replace(planted.SETTINGS, n_bootstrap=100, n_permutations=49)
"""Enough draws for a p of 0.02."""
PROBING = ("specialist_vs_general", "cross_task_transfer", "layer_stratification", "temporal_dynamics")


@cache
def found(analysis: str, mechanism: str, *, pairs: bool = True) -> AnalysisResult:
    return get_analysis(analysis).run(small_study(mechanism, pairs=pairs), SETTINGS)


@pytest.mark.parametrize("analysis", PROBING)
def test_every_table_has_both_labels_and_the_task_without_pairs_has_a_reason(analysis: str) -> None:
    result = found(analysis, "separate")
    for table in (result.table, *result.tables.values()):
        assert set(table["labels"]) == {NATURAL, COUNTERFACTUAL}
    both = of_labels(result.table, COUNTERFACTUAL)
    assert set(both["task"]) == set(TASKS)
    missing = both[both["reason"] != ""]
    assert missing["task"].tolist() == ["toxicity"]
    assert "no parameters" in missing["reason"].iloc[0]
    scored = result.table[result.table["reason"] == ""]
    assert scored[["n", "n_satisfied", "n_violated"]].notna().all(axis=None)
    assert scored.loc[scored["probe"] != "majority", "n_over_d"].notna().all()
    balanced = of_labels(scored, COUNTERFACTUAL)
    assert (balanced["n_satisfied"] == balanced["n_violated"]).all()
    get_analysis(analysis).figure(result)


@pytest.mark.parametrize("analysis", PROBING)
def test_the_verdict_rests_on_natural_labels_and_states_the_other(analysis: str) -> None:
    alone = found(analysis, "separate", pairs=False).verdict
    result = found(analysis, "separate")
    assert (result.verdict.verdict, result.verdict.effect) == (alone.verdict, alone.effect)
    assert result.verdict.interval == alone.interval
    outcomes = result.tables["labels"].set_index("labels")
    (note,) = [note for note in result.verdict.notes if note.startswith("on counterfactual labels (8 tasks)")]
    other = outcomes.loc[COUNTERFACTUAL]
    assert f"{other['effect']:.3f} [{other['low']:.3f}, {other['high']:.3f}], {other['verdict']}" in note
    assert ("differs" in note) == (other["verdict"] != result.verdict.verdict)


def test_a_surface_cue_is_read_on_natural_labels_and_exposed_by_counterfactual_ones() -> None:
    table = found("specialist_vs_general", "surface").table
    last = table[(table["position"] == "last") & (table["reason"] == "")]
    mean = last.groupby(["labels", "probe"])["auroc"].mean()
    assert mean[NATURAL, "specialist"] > 0.58
    assert mean[NATURAL, "response_words"] > 0.7
    for probe in ("specialist", "response_words", "prompt_words", "text", "length"):
        assert mean[COUNTERFACTUAL, probe] == pytest.approx(0.5, abs=0.06)
    outcomes = found("specialist_vs_general", "surface").tables["labels"].set_index("labels")
    assert outcomes.loc[COUNTERFACTUAL, "verdict"] == "inconclusive"
    assert "not above chance" in str(outcomes.loc[COUNTERFACTUAL, "notes"])


def test_a_relation_that_is_there_is_read_and_is_not_memory() -> None:
    result = found("specialist_vs_general", "separate")
    reported = of_labels(result.tables["cross_fitted"], COUNTERFACTUAL).groupby("probe")["auroc"].mean()
    assert reported["specialist"] > 0.8
    selective = of_labels(result.tables["selectivity"], COUNTERFACTUAL)
    assert (selective["low"] > 0).all()
    assert (selective["p_permutation"] <= 0.05).all()
    surface = of_labels(found("specialist_vs_general", "surface").tables["selectivity"], COUNTERFACTUAL)
    assert (surface["p_permutation"] > 0.05).sum() >= 6
    assert np.abs(surface["recurring"] - 0.5).mean() < 0.1


def test_a_study_without_pairs_says_so() -> None:
    result = found("cross_task_transfer", "separate", pairs=False)
    assert any("the study has no pairs" in note for note in result.verdict.notes)
    assert set(of_labels(result.table, COUNTERFACTUAL)["task"]) == set(TASKS)
    get_analysis("cross_task_transfer").figure(result)
