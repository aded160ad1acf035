from functools import cache

import numpy as np
import pytest

from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.cross_task_transfer.analysis import figure, run
from if_circuits.analyses.shared.both_labels import NATURAL, of_labels
from if_circuits.analyses.validation.simulation.studies import FAMILY_OF, TASKS
from if_circuits.statistics.auroc import auroc
from tests.analyses.planted import SETTINGS, judge_again, small_study


@cache
def found(mechanism: str) -> AnalysisResult:
    return run(small_study(mechanism), SETTINGS)


@pytest.mark.parametrize(
    ("mechanism", "verdict"),
    [
        ("separate", "supported"),
        ("families", "supported"),
        ("universal", "not supported"),
        ("null", "inconclusive"),
    ],
)
def test_returns_the_planted_answer(mechanism: str, verdict: str) -> None:
    result = found(mechanism)
    assert result.verdict.verdict == verdict


def test_where_no_task_is_decodable_there_is_no_ratio_and_the_verdict_says_why() -> None:
    result = found("null")
    assert np.isnan([result.verdict.effect, *result.verdict.interval]).all()
    assert result.verdict.notes[0].startswith("no ratio, since its denominator (")
    assert figure(result).get_suptitle().startswith("No transfer ratio")


def test_the_ratio_is_that_of_the_means_off_and_on_the_diagonal() -> None:
    result = found("families")
    cells = of_labels(result.table, NATURAL)
    own = cells["train_task"] == cells["task"]
    off, on = cells.loc[~own, "auroc"].mean() - 0.5, cells.loc[own, "auroc"].mean() - 0.5
    assert result.verdict.effect == pytest.approx(off / on)
    assert result.verdict.interval[0] < result.verdict.effect < result.verdict.interval[1]


def test_the_matrix_holds_every_pair_once() -> None:
    table = of_labels(found("separate").table, NATURAL)
    assert set(zip(table["train_task"], table["task"], strict=True)) == {(a, b) for a in TASKS for b in TASKS}
    assert len(table) == 81
    assert (table["p_adjusted"].isna() == (table["train_task"] == table["task"])).all()


def test_a_cell_is_made_of_the_scores_that_are_kept() -> None:
    """The AUROC, within folds, of the scores of a cell's responses is the cell's."""
    result, source = found("families"), small_study("families")
    verdicts = source.responses.set_index("response_id")["verdict"]
    scores = of_labels(result.tables["scores"], NATURAL)
    for cell in of_labels(result.table, NATURAL).to_dict("records")[::10]:
        own = scores[(scores["task"] == cell["task"]) & (scores["train_task"] == cell["train_task"])]
        y = (verdicts.loc[own["response_id"]] == "satisfied").to_numpy()
        assert len(y) == cell["n"]
        again = auroc(y, own["score"].to_numpy(dtype=float), strata=own["fold"].to_numpy())
        assert again == pytest.approx(cell["auroc"], abs=1e-3)  # a tie of float32 is none of float64
        ranks = own.groupby("fold")["score_rank"]
        assert (ranks.min() == 0).all()
        assert (ranks.max() == 1).all()


def test_families_are_found_by_the_permutation_test_and_put_side_by_side() -> None:
    result = found("families")
    families = result.tables["families"].iloc[0]
    assert families["p"] <= 0.01
    assert families["low"] > 0.2
    order = result.table.drop_duplicates("task").sort_values("place")["task"].map(FAMILY_OF).tolist()
    changes = sum(first != second for first, second in zip(order, order[1:], strict=False))
    assert changes == 3


@pytest.mark.parametrize("mechanism", ["separate", "universal"])
def test_families_that_share_nothing_of_their_own_are_not_found(mechanism: str) -> None:
    assert found(mechanism).tables["families"]["p"].iloc[0] > 0.05


def test_a_task_that_cannot_be_probed_is_named_and_absent_from_the_matrix() -> None:
    source = small_study("separate")
    judge_again(source, "toxicity", np.array(["satisfied"] * 120))
    result = run(source, SETTINGS)
    assert (result.table["reason"] == "").sum() == 64
    assert any("toxicity left out" in note for note in result.verdict.notes)
    figure(result)


def test_figure_draws_the_matrix_with_its_sample_size() -> None:
    drawing = figure(found("families"))
    assert "30 base queries" in drawing.get_suptitle()
    panels = {axes.get_xlabel().split(" (")[0]: axes for axes in drawing.axes}
    assert len(panels["tested on"].get_xticklabels()) == 9


def test_figure_stars_the_cells_that_the_table_calls_significant() -> None:
    result = found("families")
    cells = of_labels(result.table, NATURAL)
    natural = next(axes for axes in figure(result).axes if axes.get_xlabel().startswith("tested on"))
    starred = sum(text.get_text().endswith("*") for text in natural.texts)
    assert starred == (cells["p_adjusted"] < 0.05).sum() > 0


def test_figure_draws_rows_in_the_order_of_the_table_and_an_interval_for_every_mean() -> None:
    result = found("families")
    in_order = of_labels(result.table, NATURAL).drop_duplicates("task").sort_values("place")["task"]
    drawing = figure(result)
    natural = next(axes for axes in drawing.axes if axes.get_xlabel().startswith("tested on"))
    names = [label.get_text().replace(" ", "_") for label in natural.get_yticklabels()]
    assert names == in_order.tolist()
    kinds = next(axes for axes in drawing.axes if axes.get_ylabel() == "AUROC of a cell")
    n_labels = result.table.loc[result.table["reason"] == "", "labels"].nunique()
    assert len(kinds.containers) == 3 * n_labels
