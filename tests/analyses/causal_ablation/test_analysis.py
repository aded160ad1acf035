from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.causal_ablation import analysis as causal_ablation
from if_circuits.analyses.causal_ablation.analysis import MEAN_DIFFERENCE, REFITTED
from if_circuits.analyses.validation.simulation.studies import FAMILY_OF, ONE_WAY, TASKS, SimulatedActivations
from tests.analyses.planted import SETTINGS, judge_again, small_study


def ablate(mechanism: str, **truth: object) -> AnalysisResult:
    return causal_ablation.run(small_study(mechanism, **truth), SETTINGS)


def cell(result: AnalysisResult, ablated: str, measured: str, matrix: str = REFITTED) -> dict:
    table = result.table
    rows = table[
        (table["matrix"] == matrix) & (table["ablated"] == ablated) & (table["measured"] == measured)
    ]
    (row,) = rows.to_dict("records")
    return row


@pytest.fixture(scope="module")
def separate() -> AnalysisResult:
    return ablate("separate", signal=3.0)


def test_separate_tasks_have_no_edges_and_their_own_removals_work(separate: AnalysisResult):
    assert separate.verdict.effect == pytest.approx(0.0, abs=0.02)
    assert separate.verdict.verdict != "not supported"
    own = separate.table[separate.table["ablated"] == separate.table["measured"]]
    assert own.loc[own["matrix"] == REFITTED, "measurable"].all()
    assert (own.loc[own["matrix"] == REFITTED, "excess"] > 0.08).all()


def test_a_universal_direction_connects_nearly_all():
    result = ablate("universal", signal=3.0)
    assert result.verdict.verdict == "not supported"
    assert result.verdict.effect > 0.9
    summary = result.tables["summary"].set_index("matrix")
    assert summary.loc[MEAN_DIFFERENCE, "share"] > 0.6


def test_a_one_way_dependency_is_found_in_its_direction():
    result = ablate("one_way", n_base_queries=140, samples=5, d_model=24)
    removed, dependent = ONE_WAY
    assert cell(result, removed, dependent)["survives"]
    assert not cell(result, dependent, removed)["survives"]
    assert result.verdict.verdict == "supported"
    assert result.verdict.p < 0.05


def test_dependencies_within_families_are_found_both_ways_and_not_called_asymmetric():
    runs = [ablate("families", signal=3.0, seed=seed) for seed in range(4)]
    for result in runs:
        pairs = result.table.query("matrix == @REFITTED and ablated != measured")
        alike = pairs["ablated"].map(FAMILY_OF) == pairs["measured"].map(FAMILY_OF)
        assert pairs.loc[alike, "survives"].mean() > 0.8
        assert pairs.loc[~alike, "survives"].mean() < 0.1
    # At 5 % two or more of four happen once in 70 such tests.
    assert sum(result.verdict.verdict == "supported" for result in runs) <= 1


@pytest.mark.parametrize("seed", range(3))
def test_nothing_planted_is_nothing_found(seed: int):
    result = ablate("null", seed=seed)
    assert result.verdict.verdict == "inconclusive"
    # A false discovery rate of 5 % over three matrices of 72 cells.
    assert result.table["survives"].sum() <= 3


def test_a_task_with_one_class_is_named_and_left_out():
    source: SimulatedActivations = small_study("separate", signal=3.0)
    judge_again(source, "register", np.array(["satisfied"] * 1000, dtype=object))
    result = causal_ablation.run(source, SETTINGS)
    assert np.isnan(cell(result, "register", "topic")["excess"])
    assert np.isnan(cell(result, "topic", "register")["excess"])
    assert np.isfinite(cell(result, "topic", "sentiment")["excess"])
    assert any("register: no subspace" in note for note in result.verdict.notes)
    reasons = result.tables["subspaces"].set_index("task")["reason"]
    assert reasons["register"].str.contains("0 violated").all()


def test_the_table_has_every_cell_of_every_matrix(separate: AnalysisResult):
    table = separate.table
    assert len(table) == 3 * 81
    assert not table.duplicated(["matrix", "ablated", "measured"]).any()
    assert set(table["ablated"]) == set(TASKS)
    finite = table.dropna(subset=["low", "high", "excess"])
    assert (finite["low"] <= finite["excess"] + 1e-9).all()
    assert (finite["high"] >= finite["excess"] - 1e-9).all()
    drops = table["after"] + table["excess"] + table[["drop_gaussian", "drop_variance_matched"]].min(axis=1)
    assert (drops <= 0.5 + table["score_above_floor"] + 1e-9).all()


def test_scores_of_every_iteration_and_rows_behind_every_fit_are_kept(separate: AnalysisResult):
    curves, subspaces = separate.tables["inlp"], separate.tables["subspaces"]
    last = curves.groupby(["task", "half"])["iteration"].max()
    rank = subspaces.set_index(["task", "half"])["rank"]
    assert (last == rank.loc[last.index]).all()
    assert (curves.loc[curves["iteration"] == 0, "held_out_auroc"] > 0.7).all()
    assert (curves["stopped"] == "chance").all()
    np.testing.assert_allclose(subspaces["n_over_d"], subspaces["n"] / 16, rtol=0)  # a power of two: exact
    assert subspaces.groupby("task")["n"].sum().eq(120).all()
    np.testing.assert_allclose(separate.table["n_over_d"], 120 / 2 / 16, rtol=0)


def test_without_a_model_the_verdict_says_that_it_is_of_representation(separate: AnalysisResult):
    assert any("verdict of representation (9 measurable tasks)" in note for note in separate.verdict.notes)
    summary = separate.tables["summary"]
    assert summary.loc[summary["verdict"], "matrix"].tolist() == [REFITTED]
    assert "damage" not in separate.tables


def test_the_same_seed_gives_the_same_tables(separate: AnalysisResult):
    again = ablate("separate", signal=3.0)
    pd.testing.assert_frame_equal(again.table, separate.table)
    assert again.verdict == separate.verdict


def test_the_figure_says_which_axis_is_which(separate: AnalysisResult):
    drawing = causal_ablation.figure(separate)
    assert isinstance(drawing, Figure)
    matrices = [axes for axes in drawing.axes if axes.get_ylabel() == "ablated task A"]
    assert len(matrices) == 2
    assert {axes.get_xlabel() for axes in matrices} == {"measured task B"}
    drawing.canvas.draw()


def test_the_figure_draws_a_graph_only_where_an_edge_survives(separate: AnalysisResult):
    summary = separate.tables["summary"]
    judged = separate.table["matrix"] == summary.loc[summary["verdict"], "matrix"].iloc[0]
    edge = judged & (separate.table["ablated"] == TASKS[0]) & (separate.table["measured"] == TASKS[1])
    none = separate.table.assign(survives=separate.table["survives"] & ~judged)
    bare = causal_ablation.figure(replace(separate, table=none))
    assert "no edge survives" in bare.get_suptitle()
    one = none.assign(survives=none["survives"] | edge, measurable=True)
    drawing = causal_ablation.figure(replace(separate, table=one))
    assert "1 edges survive" in drawing.get_suptitle()
    assert len(drawing.axes) == len(bare.axes) + 2
