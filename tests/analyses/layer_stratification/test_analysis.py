import numpy as np
import pytest

from if_circuits.analyses.layer_stratification.analysis import depths_of_emergence, figure, run
from if_circuits.analyses.validation.simulation.studies import SimulatedActivations
from tests.analyses.planted import SETTINGS, judge_again, small_study

DEPTHS = np.array([0.0, 0.5, 1.0])


def layered_study(emergence: str, *, seed: int = 0) -> SimulatedActivations:
    return small_study(
        "separate", emergence=emergence, n_layers=4, positions=("last",), signal=3.0, seed=seed
    )


@pytest.mark.parametrize("seed", range(2))
def test_structural_first_and_semantic_last_is_supported(seed: int) -> None:
    verdict = run(layered_study("by_family", seed=seed), SETTINGS).verdict
    assert verdict.verdict == "supported"
    assert verdict.effect > 0.9 and verdict.p <= 0.05


@pytest.mark.parametrize("seed", range(2))
def test_semantic_first_and_structural_last_is_not(seed: int) -> None:
    source = layered_study("by_family", seed=seed)
    source.emergence_depths = (
        source.emergence_depths.max() + source.emergence_depths.min() - (source.emergence_depths)
    )
    verdict = run(source, SETTINGS).verdict
    assert verdict.verdict == "not supported"
    assert verdict.effect < -0.9 and verdict.interval[1] < 0


def test_tasks_that_all_emerge_at_one_layer_have_no_trend() -> None:
    verdict = run(layered_study("everywhere"), SETTINGS).verdict
    assert verdict.verdict == "not supported"
    assert "all tasks emerge at one layer" in verdict.notes


def test_depths_that_are_dealt_at_random_are_not_supported() -> None:
    assert run(layered_study("shuffled"), SETTINGS).verdict.verdict != "supported"


def test_tasks_emerge_at_the_planted_layers() -> None:
    source = small_study("separate", emergence="by_family", n_layers=4, positions=("last",), signal=2.5)
    emergence = run(source, SETTINGS).tables["emergence"].set_index("task")["layer"]
    assert emergence["word_count"] == "0"
    assert emergence["term_exclusion"] == "1"
    assert emergence["register"] == "2"
    assert emergence["sentiment"] == "3"


def test_a_task_that_is_never_readable_is_stated() -> None:
    source = small_study("separate", positions=("last",))
    noise = np.random.default_rng(0).choice(["satisfied", "violated"], size=120)
    judge_again(source, "topic", noise)
    result = run(source, SETTINGS)
    emergence = result.tables["emergence"].set_index("task")
    assert emergence.loc["topic", "layer"] == "never"
    assert "topic becomes readable at no layer" in result.verdict.notes
    figure(result)


def test_nothing_is_concluded_when_nothing_emerges() -> None:
    result = run(small_study("null", positions=("last",)), SETTINGS)
    assert result.verdict.verdict == "inconclusive"
    assert len(result.tables["emergence"]) == 9


def test_emergence_is_the_first_readable_layer_at_half_of_the_gain() -> None:
    curves = np.array([[[0.58, 0.71, 0.90], [0.72, 0.71, 0.90], [0.40, 0.45, 0.40]]])
    readable = np.array([[True, True, True], [False, True, True], [True, True, True]])
    np.testing.assert_array_equal(depths_of_emergence(curves, readable, DEPTHS), [[0.5, 0.5, np.nan]])


def test_a_task_readable_at_no_layer_has_no_depth() -> None:
    curves = np.full((2, 1, 3), 0.9)
    assert np.isnan(depths_of_emergence(curves, np.zeros((1, 3), dtype=bool), DEPTHS)).all()


def test_figure_shows_every_task_and_the_trend() -> None:
    source = small_study("separate", emergence="by_family", n_layers=4, positions=("last",))
    drawing = figure(run(source, SETTINGS))
    assert "tau" in drawing.get_suptitle()
    emergence = next(axes for axes in drawing.axes if axes.get_xlabel().startswith("depth"))
    assert len(emergence.get_yticklabels()) == 9
    curves = [axes for axes in drawing.axes if axes.get_title().endswith(", natural")]
    assert len(curves) == 4
    assert sum(len(axes.collections) for axes in curves) == 9  # a band each
