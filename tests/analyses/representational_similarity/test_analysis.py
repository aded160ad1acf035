from dataclasses import replace

import numpy as np
import pytest

from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.representational_similarity import analysis as representational_similarity
from tests.analyses.planted import SETTINGS, judge_again, small_study


def compare(mechanism: str, **truth: object) -> AnalysisResult:
    return representational_similarity.run(
        small_study(mechanism, **{"n_base_queries": 40, **truth}), SETTINGS
    )


@pytest.fixture(scope="module")
def separate() -> AnalysisResult:
    return compare("separate", signal=3.0)


def test_separate_directions_are_few_shared_representations(separate: AnalysisResult):
    assert separate.verdict.verdict == "supported"
    assert separate.verdict.effect == pytest.approx(0.0, abs=0.05)
    assert separate.table["similarity"].abs().max() < 0.4


def test_a_universal_direction_is_shared_up_to_its_ceiling():
    result = compare("universal", signal=3.0)
    assert result.verdict.verdict == "not supported"
    assert result.verdict.effect == pytest.approx(1.0, abs=0.25)


def test_families_that_share_are_told_from_those_that_do_not():
    result = compare("families", signal=3.0)
    means = result.table.groupby("same_family")["similarity"].mean()
    assert means[True] > 0.7
    assert abs(means[False]) < 0.15
    assert result.verdict.effect == pytest.approx(7 / 36, abs=0.08)


def test_content_alone_makes_paired_activations_alike(separate: AnalysisResult):
    # The base queries move all tasks' activations: what PWCCA and CKA see, and the verdict must not.
    assert separate.table["pwcca"].mean() > 0.05
    assert separate.table["cka"].mean() > 0.05


@pytest.mark.parametrize("seed", range(3))
def test_without_directions_there_is_no_verdict(seed: int):
    result = compare("null", seed=seed)
    assert result.verdict.verdict == "inconclusive"
    assert (result.tables["tasks"]["reason"] != "").sum() >= 7


def test_a_task_of_one_class_is_left_out_by_name():
    source = small_study("separate", signal=3.0, n_base_queries=40)
    judge_again(source, "json_format", np.array(["satisfied"] * 1000, dtype=object))
    result = representational_similarity.run(source, SETTINGS)
    table = result.table
    touched = (table["task_a"] == "json_format") | (table["task_b"] == "json_format")
    assert table.loc[touched, "similarity"].isna().all()
    assert table.loc[~touched, "similarity"].notna().all()
    assert any(note.startswith("json_format left out") for note in result.verdict.notes)


def test_every_pair_is_compared_once(separate: AnalysisResult):
    table = separate.table
    assert len(table) == 36
    assert not table.duplicated(["task_a", "task_b"]).any()
    assert (table["low"] <= table["high"]).all()


def test_the_figure_draws(separate: AnalysisResult):
    drawing = representational_similarity.figure(separate)
    drawing.canvas.draw()
    assert "n = " in drawing.get_suptitle()


def test_the_figure_says_why_there_is_no_verdict():
    result = compare("null", seed=0)
    title = representational_similarity.figure(result).get_suptitle()
    assert "inconclusive, a verdict needs 5 tasks" in title
    assert "nan" not in title and "n = 0" not in title


def test_every_pair_has_a_value_in_the_figure_whether_or_not_it_has_a_ceiling(separate: AnalysisResult):
    table = separate.table.assign(pwcca_ceiling=np.nan, pwcca_ratio=np.nan)
    table["pwcca_p_adjusted"] = np.where(table.index < 5, 0.01, 0.5)
    drawing = representational_similarity.figure(replace(separate, table=table))
    panel = next(axes for axes in drawing.axes if axes.get_title().startswith("PWCCA"))
    values = [text.get_text() for text in panel.texts]
    assert len(values) == 72
    assert sum(value.endswith("*") for value in values) == 10
