"""What a budget decides: sizes that fit, said beforehand, and kept by a study that goes on."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.errors import InputError
from if_circuits.models.loading import LoadedModel, load_model
from if_circuits.models.settings import RunSettings
from if_circuits.study import Study, StudyConfig, budget
from if_circuits.study.budget import Plan, Rates, plan, seconds_of, span
from if_circuits.study.remaining import what_is_left

CONFIG = StudyConfig("if-tiny", n_base_queries=20)


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    """The embedded model; shared, so leave it as it was."""
    return load_model("if-tiny")


def planned(
    model: LoadedModel, seconds: float, monkeypatch: pytest.MonkeyPatch, *, answer: float = 0.01
) -> Plan:
    """A plan at rates that are given, so that no clock decides."""
    monkeypatch.setattr(budget, "measure", lambda *_: Rates(answer, answer / 10))
    monkeypatch.setattr(budget, "cell_timer", lambda *_, **__: lambda _: answer * 10)
    return plan(CONFIG, model, RunSettings.of(model.preset), seconds=seconds)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("20m", 1200), ("1.5h", 5400), ("1h30m", 5400), ("2h", 7200)]
)
def test_a_time_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "20", "20 minutes", "m", "-5m", "1d"])
def test_what_is_no_time_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(InputError, match="90m, 2h or 1h30m"):
        seconds_of(text)


@given(st.integers(0, 50), st.integers(1, 59))
def test_a_span_says_the_time_that_it_was_made_of(hours: int, minutes: int) -> None:
    assert seconds_of(span(3600 * hours + 60 * minutes).replace(" min", "m").replace(" ", "")) == (
        3600 * hours + 60 * minutes
    )


def test_more_time_makes_a_larger_study_or_one_of_more_analyses_and_all_of_it_fits(
    model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = (60, 100, 150, 200, 300, 400, 800)
    plans = [planned(model, seconds, monkeypatch) for seconds in times]
    assert all(sum(each.seconds.values()) <= s for each, s in zip(plans, times, strict=True))
    chosen = [frozenset(each.config.analyses) for each in plans]
    assert all(less <= more for less, more in pairwise(chosen)) and chosen[0] < chosen[-1]
    for analyses in set(chosen):
        alike = [each for each, own in zip(plans, chosen, strict=True) if own == analyses]
        sizes = [each.config.n_base_queries for each in alike]
        assert sizes == sorted(sizes)
        widths = [each.half_width for each in alike]
        assert widths == sorted(widths, reverse=True)
    assert plans[0].config.n_base_queries < plans[-1].config.n_base_queries
    randoms = [each.config.settings.n_random_subspaces for each in plans if "causal_ablation" in each.seconds]
    assert randoms == sorted(randoms)


def test_ablation_is_left_out_where_half_of_the_time_is_too_little_for_it(
    model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = planned(model, 60, monkeypatch)
    assert "causal_ablation" not in short.config.analyses
    assert short.seconds["ablation"] == 0
    ample = planned(model, 2000, monkeypatch)
    assert ample.config.analyses == CONFIG.analyses
    assert 0 < ample.seconds["ablation"] <= 1000


def test_too_little_time_is_refused_with_what_an_answer_takes(
    model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"an answer takes 0\.50 s here"):
        planned(model, 60, monkeypatch, answer=0.5)


def test_the_options_that_it_names_make_the_same_study(
    model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from if_circuits.cli import main

    found = planned(model, 200, monkeypatch)
    seen: list[StudyConfig] = []

    def run(config: StudyConfig, *_: object, **__: object) -> Study:
        seen.append(config)
        raise InputError("enough")

    monkeypatch.setattr(Study, "run", run)
    main.main(["run", "if-tiny", "--out", "x", *found.options.split()])
    assert seen == [found.config]


def test_a_study_within_a_budget_is_run_and_goes_on_with_its_size(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = replace(
        CONFIG,
        tasks=("json_format", "register"),
        analyses=("specialist_vs_general",),
        greedy=False,
        max_new_tokens=8,
        settings=AnalysisSettings(n_folds=3, n_bootstrap=20, n_permutations=20),
    )
    monkeypatch.setattr(budget, "FEWEST_QUERIES", 5)
    monkeypatch.setattr(budget, "measure", lambda *_: Rates(0.1, 0.01))
    monkeypatch.setattr(budget, "cell_timer", lambda *_, **__: lambda _: 0.1)
    study = Study.run(config, tmp_path / "study", budget=60)
    n = study.config.n_base_queries
    assert n != config.n_base_queries
    assert study.prompts["base_query"].nunique() == n
    assert f"for {n} base queries" in caplog.text
    told = [record.message for record in caplog.records if "what was expected" in record.message]
    assert "left at this pace: activations" in told[0] and "probes" in told[0]
    assert "nothing planned is left" in told[-1]
    again = Study.run(config, tmp_path / "study", budget=3600)
    assert again.config == study.config


def test_what_is_left_is_as_much_off_as_what_was_done() -> None:
    expected = {"responses": 600.0, "probes": 300.0, "ablation": 1200.0, "localisation": 0.0}
    names = ["responses.constrained", "responses.unconstrained", "verification", "analyses.specificity"]
    names += ["analyses.causal_ablation", "analyses.temporal_dynamics", "closing"]
    done = {"responses.constrained": {"seconds": 800.0}, "responses.unconstrained": {"seconds": 380.0}}
    done["verification"] = {"seconds": 20.0}
    said = what_is_left(expected, done, names=names, budget=3600.0)
    assert said.startswith("20 min of 1 h 0 min taken, 2.0 times what was expected; left at this pace: ")
    assert said.endswith("probes 10 min, ablation 40 min; 10 min more than was given")
    done["analyses.specificity"] = {"seconds": 300.0}
    said = what_is_left(expected, done, names=names, budget=7200.0)
    assert said.endswith("probes 5 min, ablation 40 min")
    every = {name: {"seconds": 10.0} for name in names}
    assert what_is_left(expected, every, names=names, budget=60.0).endswith("nothing planned is left")
