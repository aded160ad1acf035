"""What a study can say, told from its verdicts before anything is captured."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from if_circuits.analyses.base import ANALYSES, AnalysisSettings, get_analysis
from if_circuits.analyses.shared.labelled_tasks import labelled_tasks, query_halves
from if_circuits.analyses.shared.probing import probing_rows
from if_circuits.analyses.shared.score_table import least_task_p, task_p
from if_circuits.analyses.shared.task_subspaces import POSITION, fit_task_subspaces
from if_circuits.erasure.difference_in_means import DifferenceInMeans
from if_circuits.io.files import write_parquet
from if_circuits.study.config import StudyConfig
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.outlook import NEEDS, Shortage, shortages, unsupportable
from if_circuits.study.prospects import say_prospects
from if_circuits.tasks.suites.choice import get_suite
from tests.analyses.planted import small_study

FAMILIES = ("structural", "lexical", "semantic", "stylistic", "structural", "lexical")
SETTINGS = AnalysisSettings()


def verified(counts: Mapping[str, tuple[int, int]], *, n_queries: int = 10) -> pd.DataFrame:
    """Responses of tasks, so many satisfied and so many violated, spread over base queries, and twins."""
    rows = [
        {
            "task": task,
            "family": FAMILIES[number % len(FAMILIES)],
            "base_query": f"q{i % n_queries}",
            "prompt_id": f"{task}/{i % n_queries}" + ("" if constrained else "/unconstrained"),
            "verdict": "satisfied" if i < satisfied and constrained else "violated",
            "constrained": constrained,
        }
        for number, (task, (satisfied, violated)) in enumerate(counts.items())
        for i in range(satisfied + violated)
        for constrained in (True, False)
    ]
    return pd.DataFrame(rows).assign(
        temperature=1.0,
        n_tokens=3,
        parameters="{}",
        prompt_tokens=[[1]] * len(rows),
        response_tokens=[[2]] * len(rows),
    )


def short_of(rows: pd.DataFrame, name: str, settings: AnalysisSettings = SETTINGS) -> Shortage:
    return shortages(rows, [name], settings)[name]


def test_every_analysis_says_what_it_needs():
    assert tuple(NEEDS) == ANALYSES


def test_enough_of_everything_has_no_shortage():
    rows = verified({f"task {i}": (60, 60) for i in range(6)})
    assert shortages(rows, ANALYSES, SETTINGS) == {}
    assert unsupportable(rows, ANALYSES, SETTINGS) == {}


def test_one_label_less_is_a_shortage():
    rows = verified({"a": (10, 30), "b": (9, 30)})
    found = shortages(rows, ["specialist_vs_general", "temporal_dynamics"], SETTINGS)
    assert set(found) == {"specialist_vs_general"}
    assert "1 of 2 tasks have 10 satisfied and 10 violated responses, and 2 tasks are needed" in str(found)
    assert found["specialist_vs_general"].tasks == ("a",)


@pytest.mark.parametrize(
    ("second", "base_queries"),
    [((5, 30), 20), ((30, 4), 25), ((3, 30), 34), ((0, 30), None)],
    ids=["half of it", "violated", "rounded up", "never satisfied"],
)
def test_base_queries_are_extrapolated_from_the_rarer_label(
    second: tuple[int, int], base_queries: int | None
):
    """10 base queries gave 5 of the rarer label: 20 give the 10 that are needed."""
    found = short_of(verified({"a": (10, 30), "b": second}), "specialist_vs_general")
    assert found.base_queries == base_queries
    assert ("too many tasks have none of a kind: b" in str(found)) == (base_queries is None)


def test_labels_count_where_the_analysis_reports():
    """Similarity keeps a fifth of the base queries for the choice of its layer: of 25 labels 20 count."""
    rows = verified({f"task {i}": (20, 200) for i in range(5)}, n_queries=100)
    assert short_of(rows, "representational_similarity").base_queries == 125


def test_the_tasks_that_come_first_count():
    rows = verified({"a": (10, 30), "b": (0, 40), "c": (1, 39), "d": (5, 35)})
    assert short_of(rows, "specialist_vs_general").base_queries == 20


def test_fewer_tasks_than_are_needed_can_be_had_at_no_size():
    found = shortages(verified({"a": (60, 60), "b": (60, 60)}), ANALYSES, SETTINGS)
    assert set(found) == set(ANALYSES) - {"specialist_vs_general", "temporal_dynamics"}
    assert found["layer_stratification"].base_queries is None
    assert "since the study has 2 tasks of 2 families" in str(found["layer_stratification"])


def test_families_count_where_they_are_needed_and_the_claim_orders_them():
    rows = verified({f"task {i}": (60, 60) for i in range(6)})
    rows["family"] = rows["family"].replace({"semantic": "rhymes", "stylistic": "structural"})
    found = shortages(rows, ANALYSES, SETTINGS)
    assert set(found) == {"layer_stratification", "localisation"}
    assert "5 tasks of 3 families are needed" in str(found["layer_stratification"])


def test_twins_greedy_undecided_and_empty_responses_are_no_labels():
    rows = verified({"a": (10, 30), "b": (10, 30)})
    for column, value in (
        ("constrained", False),
        ("temperature", 0.0),
        ("verdict", "undecided"),
        ("n_tokens", 0),
    ):
        changed = rows.copy()
        changed.loc[(rows["task"] == "b") & (rows["verdict"] == "satisfied"), column] = value
        assert set(shortages(changed, ["specialist_vs_general"], SETTINGS)) == {"specialist_vs_general"}


def test_fewer_than_ten_base_queries_have_no_verdict():
    rows = verified({f"task {i}": (90, 90) for i in range(6)}, n_queries=9)
    found = shortages(rows, ANALYSES, SETTINGS)
    assert set(found) == set(ANALYSES)
    assert all("9 base queries, and 10 are needed" in str(each) for each in found.values())
    assert {each.base_queries for each in found.values()} == {10}


def test_labels_that_all_lie_in_one_half_are_too_few_however_many():
    """Which half a base query falls into is known before anything is captured."""
    rows = verified({f"task {i}": (60, 60) for i in range(6)})
    half = query_halves(type("Source", (), {"base_queries": sorted(set(rows["base_query"]))})(), seed=0)
    there = {f"q{i}" for i in range(10) if half[i] == 0}
    asked = rows["constrained"] & ~rows["base_query"].isin(there)
    rows.loc[asked, "verdict"] = "violated"
    found = short_of(rows, "causal_ablation")
    assert "0 of 6 tasks" in str(found)
    assert found.base_queries is not None
    assert found.base_queries > 10
    assert shortages(rows, ["specialist_vs_general"], SETTINGS) == {}


def test_a_test_over_tasks_needs_tasks_and_permutations():
    rows = verified({f"task {i}": (60, 60) for i in range(5)})
    found = short_of(rows, "cross_task_transfer")
    assert "5 of 5 tasks" in str(found)
    assert "6 tasks are needed" in str(found)
    assert set(unsupportable(rows, ANALYSES, SETTINGS)) == {"temporal_dynamics"}
    assert "cannot be supported" in str(unsupportable(rows, ANALYSES, SETTINGS)["temporal_dynamics"])
    few = replace(SETTINGS, n_permutations=20)
    enough = verified({f"task {i}": (60, 60) for i in range(6)})
    assert "20 permutations give no p of 0.05" in str(short_of(enough, "cross_task_transfer", few))


def test_a_study_whose_tasks_the_pilot_all_left_out_can_have_no_verdict():
    found = shortages(verified({"a": (60, 60)}).iloc[:0], ANALYSES, SETTINGS)
    assert set(found) == set(ANALYSES)
    assert {each.base_queries for each in found.values()} == {None}
    assert all(each.skips_model for each in found.values())


@pytest.mark.parametrize(("n_tasks", "n_permutations"), [(2, 1000), (5, 1000), (6, 1000), (6, 40)])
def test_the_least_p_is_that_of_differences_of_one_sign(n_tasks: int, n_permutations: int):
    settings = replace(SETTINGS, n_permutations=n_permutations)
    found = task_p(np.ones(n_tasks), settings)
    assert found >= least_task_p(n_tasks, settings)
    if 2**n_tasks <= n_permutations:
        assert found == pytest.approx(least_task_p(n_tasks, settings))


def test_without_unconstrained_counterparts_two_questions_have_no_answer():
    rows = verified({f"task {i}": (60, 60) for i in range(6)})
    found = shortages(rows[rows["constrained"]], ANALYSES, SETTINGS)
    assert set(found) == {"localisation", "specificity"}
    assert {each.base_queries for each in found.values()} == {None}


def test_only_what_each_task_says_by_itself_uses_the_model_for_too_few():
    found = shortages(verified({"a": (60, 60), "b": (1, 60)}), ANALYSES, SETTINGS)
    assert found["causal_ablation"].skips_model
    assert not found["localisation"].skips_model
    assert short_of(verified({"a": (1, 60)}), "localisation").skips_model


def test_the_tasks_that_suffice_are_those_that_the_analyses_take():
    source = small_study("separate", n_base_queries=14, samples=3)
    settings = replace(SETTINGS, n_bootstrap=20)
    found = shortages(source.responses.assign(temperature=1.0), ANALYSES, settings)
    probed = {task.name for task in probing_rows(source, settings, "last").tasks}
    halves = query_halves(source, seed=0)
    fitted = [
        fit_task_subspaces(
            source,
            [task.where(halves[task.queries] == half) for task in labelled_tasks(source, POSITION)],
            DifferenceInMeans(),
            layers=[0],
            seed=0,
        ).by_task
        for half in (0, 1)
    ]
    assert set(found["causal_ablation"].tasks) == set(fitted[0]) & set(fitted[1])
    assert 0 < len(found["causal_ablation"].tasks) < len(probed)


@pytest.mark.parametrize("name", ["specialist_vs_general", "cross_task_transfer", "temporal_dynamics"])
def test_what_is_said_to_have_no_verdict_has_none(name: str):
    """However strong the signal."""
    source = small_study("separate", n_base_queries=9, samples=12, signal=6.0)
    settings = replace(SETTINGS, n_bootstrap=50, n_permutations=64, n_folds=3)
    assert name in shortages(source.responses.assign(temperature=1.0), [name], settings)
    assert get_analysis(name).run(source, settings).verdict.verdict == "inconclusive"


def test_a_study_says_what_it_can_have_and_asks_for_no_more_base_queries_than_there_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    config = StudyConfig("if-tiny", analyses=("specialist_vs_general", "temporal_dynamics"))
    record = {"config": config.to_json(), "held_out_only": False}
    directory = StudyDirectory.create(tmp_path, record)
    there = len(get_suite("controlled").queries)
    for rarer, told in ((9, "would do"), (1, f"would do, of which this study can have {there}: ask more")):
        rows = verified({"a": (60, 60), "b": (rarer, 200)}, n_queries=60)
        write_parquet(directory.responses, rows)
        caplog.clear()
        say_prospects(directory)
        first, second, third = [record.getMessage() for record in caplog.records]
        assert "1 of 2 analyses have enough labels: temporal_dynamics" in first
        assert "specialist_vs_general can have no verdict: 1 of 2 tasks" in second
        assert f"about {math.ceil(600 / rarer)} base queries {told}" in second
        assert second.endswith("would do") == (rarer == 9)
        assert "temporal_dynamics cannot be supported" in third
