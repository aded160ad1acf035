import numpy as np
import pytest

from if_circuits.analyses.specificity import analysis as specificity
from tests.analyses.planted import SETTINGS, judge_again, small_study
from tests.precision import rounding


def test_a_signal_of_constrained_responses_alone_is_specific():
    result = specificity.run(small_study("separate", signal=3.0), SETTINGS)
    assert result.verdict.verdict == "supported"
    assert result.verdict.effect > 1.3
    assert (result.table["share"] > result.table["share_twins"]).all()


def test_a_signal_that_twins_share_is_not_specific():
    result = specificity.run(
        small_study("separate", signal=3.0, twin_signal=1.0, n_base_queries=60), SETTINGS
    )
    assert result.verdict.effect == pytest.approx(1.0, abs=0.12)
    assert result.verdict.verdict != "supported"


def test_twins_with_more_of_it_are_the_opposite_of_specific():
    result = specificity.run(small_study("separate", signal=2.5, twin_signal=3.0), SETTINGS)
    assert result.verdict.verdict == "not supported"
    assert result.verdict.effect < 0.7


def test_without_row_spaces_there_is_no_verdict():
    result = specificity.run(small_study("null"), SETTINGS)
    assert result.verdict.verdict == "inconclusive"
    assert result.table["reason"].str.contains("no row space").any()


def test_shares_are_those_of_the_variance():
    result = specificity.run(small_study("universal", signal=3.0, d_model=12), SETTINGS)
    table = result.table
    assert table["share"].between(0, 1).all()
    # A signal of 3 standard deviations on one of 12 coordinates of unit variance, three fifths satisfied.
    signal = 9 * 0.24
    expected = (table["rank"].mean() + signal) / (12 + signal)
    assert table["share"].mean() == pytest.approx(expected, rel=0.2)
    assert (table["ratio_gaussian"] - 1).abs().max() < 0.3
    np.testing.assert_allclose(table["ratio"], table["share"] / table["share_twins"], rtol=rounding(2))


def test_a_task_of_one_class_is_left_out_by_name():
    source = small_study("separate", signal=3.0)
    judge_again(source, "topic", np.array(["violated"] * 1000, dtype=object))
    result = specificity.run(source, SETTINGS)
    row = result.table.set_index("task").loc["topic"]
    assert np.isnan(row["effect"])
    assert "0 satisfied" in row["reason"]
    assert any(note.startswith("topic left out") for note in result.verdict.notes)


def test_the_figure_marks_no_difference():
    drawing = specificity.figure(specificity.run(small_study("separate", signal=3.0), SETTINGS))
    drawing.canvas.draw()
    assert "random subspaces" in drawing.axes[1].get_xlabel()
