import numpy as np
import pytest

from if_circuits.activations.positions import POSITIONS
from if_circuits.analyses.temporal_dynamics.analysis import figure, run
from if_circuits.analyses.validation.simulation.studies import TASKS, SimulatedActivations
from tests.analyses.planted import SETTINGS, judge_again, small_study
from tests.precision import rounding

CUE = 7
"""A token that no simulated text has."""


def with_cues(source: SimulatedActivations) -> SimulatedActivations:
    """The study with a first word that tells compliant constrained responses from all others."""
    responses = source.responses
    cued = responses["constrained"] & (responses["verdict"] == "satisfied")
    tokens = zip(responses["response_tokens"], cued, strict=True)
    responses["response_tokens"] = [[CUE, *words[1:]] if cue else words for words, cue in tokens]
    return source


@pytest.mark.parametrize("seed", range(2))
def test_a_signal_that_grows_with_the_response_is_monitoring(seed: int) -> None:
    """The growth of .4 is six times the half width of its interval."""
    verdict = run(small_study("separate", timing="monitoring", seed=seed), SETTINGS).verdict
    assert verdict.verdict == "supported"
    assert verdict.effect > 0.3 and verdict.p <= 0.05


@pytest.mark.parametrize("seed", range(2))
def test_a_signal_that_is_there_first_and_that_the_words_catch_up_with_is_not(seed: int) -> None:
    """The probe reads as much at the start as at the end; the words come to tell all. The growth is -.45."""
    verdict = run(with_cues(small_study("separate", timing="planning", seed=seed)), SETTINGS).verdict
    assert verdict.verdict == "not supported"
    assert verdict.interval[1] < -0.3


@pytest.mark.parametrize(("mechanism", "timing"), [("separate", "planning"), ("null", "monitoring")])
def test_where_nothing_grows_nothing_is_concluded(mechanism: str, timing: str) -> None:
    verdict = run(small_study(mechanism, timing=timing), SETTINGS).verdict
    assert verdict.verdict == "inconclusive"
    assert verdict.interval[0] < 0 < verdict.interval[1]


def test_the_curve_grows_and_stands_beside_absolute_places_and_survivors() -> None:
    source = small_study("universal", timing="monitoring", positions=POSITIONS, n_base_queries=20)
    result = run(source, SETTINGS)
    means = result.tables["means"]
    curve = means[means["probe"] == "specialist"].set_index("position")["auroc"]
    assert curve["last"] > curve["50%"] > curve["prompt_end"]
    assert set(means["position"]) == set(POSITIONS)

    responses = source.responses[source.responses["constrained"]]
    survivors = result.tables["survivors"]
    by_position = survivors.groupby("position")["survivors"].sum()
    assert by_position["last"] == len(responses)
    assert by_position["eos"] == (~responses["truncated"]).sum() < len(responses)
    places = result.table[result.table["task"] == "topic"].drop_duplicates("position").set_index("position")
    topic = responses[responses["task"] == "topic"]
    assert places.loc["last", "mean_tokens_read"] == pytest.approx(topic["n_tokens"].mean())
    expected = (topic["prompt_tokens"].map(len) + topic["n_tokens"] - 1).mean()
    assert places.loc["last", "mean_index"] == pytest.approx(expected)
    assert places["mean_index"].reindex(POSITIONS).iloc[:-1].is_monotonic_increasing

    drawing = figure(result)
    assert "20 base queries" in drawing.get_suptitle()
    assert len(drawing.axes[0].get_xticklabels()) == len(POSITIONS)
    panels = {axes.get_title(): axes for axes in drawing.axes}
    assert {"The same by absolute position", "Responses that have the position, all tasks"} <= set(panels)
    read = survivors.groupby("position", sort=False)["mean_tokens_read"].mean()
    line = panels["The same by absolute position"].lines[0]
    drawn = np.asarray(line.get_xdata())  # forwards: `eos` belongs to the shorter responses alone
    assert (np.diff(drawn) > 0).all()
    everyone = [position for position in POSITIONS if position != "eos"]
    np.testing.assert_allclose(drawn, read.reindex(everyone), rtol=rounding(len(TASKS)))
    by_task = [axes for title, axes in panels.items() if title.endswith(", natural")]
    assert sum(len(axes.collections) for axes in by_task) == len(TASKS)  # a band each


def test_words_that_grow_with_the_response_do_not_count_as_monitoring() -> None:
    result = run(small_study("surface"), SETTINGS)
    means = result.tables["means"].set_index(["probe", "position"])["auroc"]
    assert means["specialist", "last"] > means["specialist", "prompt_end"] + 0.1
    assert means["text", "last"] > means["specialist", "last"]
    assert result.verdict.verdict != "supported"


def test_without_a_task_that_can_be_probed_nothing_is_concluded() -> None:
    source = small_study("separate")
    for task in TASKS:
        judge_again(source, task, np.array(["satisfied"] * 120))
    result = run(source, SETTINGS)
    assert result.verdict.verdict == "inconclusive"
    assert set(result.table["task"]) == set(TASKS)
    figure(result)
