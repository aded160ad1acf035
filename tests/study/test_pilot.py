"""The pilot: its rule on known counts, and a study that it decides, on if-tiny."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.cli.main import main
from if_circuits.errors import InputError
from if_circuits.study import Study, StudyConfig, closing
from if_circuits.study.audit import audit
from if_circuits.study.pilot import (
    CEILING,
    FLOOR,
    FOLLOWS,
    NOT_MOVED,
    kept_grades,
    pilot_table,
    probability_higher,
    without_verdict,
)
from if_circuits.study.pilot_answers import N_QUERIES, pilot_prompts
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.suites.choice import get_suite


def answers(counts: dict[str, tuple[int, int]], *, task: str = "word_count") -> pd.DataFrame:
    """Verified responses: of each grade so many of 12 satisfied asked, and of 24 unasked."""
    rows = [
        {
            "task": task,
            "family": "f",
            "grade": grade,
            "constrained": constrained,
            "satisfied": number < satisfied,
        }
        for grade, both in counts.items()
        for constrained, satisfied, n in ((True, both[0], 12), (False, both[1], 24))
        for number in range(n)
    ]
    table = pd.DataFrame(rows)
    return table.assign(verdict=np.where(table.pop("satisfied"), "satisfied", "violated"))


@pytest.mark.parametrize(
    ("asked", "unasked", "why"),
    [
        (0, 0, FLOOR),
        (1, 0, FLOOR),
        (2, 0, FOLLOWS),
        (6, 4, FOLLOWS),
        (6, 12, NOT_MOVED),
        (5, 20, NOT_MOVED),
        (10, 12, FOLLOWS),
        (11, 2, CEILING),
        (12, 24, CEILING),
    ],
)
def test_a_grade_is_kept_that_is_followed_and_failed_and_moved(asked: int, unasked: int, why: str) -> None:
    table = pilot_table(answers({"one": (asked, unasked)}))
    assert table["why"].tolist() == [why]
    assert kept_grades(table) == {"word_count": ("one",)}
    assert without_verdict(table) == ({} if why == FOLLOWS else {"word_count": why})


def test_what_is_kept_is_spread_over_the_range() -> None:
    counts = {"a": (9, 0), "b": (2, 0), "c": (4, 0), "d": (5, 0), "e": (6, 0), "floor": (0, 0)}
    table = pilot_table(answers(counts))
    assert set(kept_grades(table)["word_count"]) == {"a", "b", "d"}


def test_a_task_without_a_grade_is_named_by_its_best_one() -> None:
    table = pilot_table(answers({"easy": (12, 24), "middle": (6, 14), "hard": (0, 0)}))
    assert kept_grades(table) == {"word_count": ("middle",)}
    assert without_verdict(table) == {"word_count": NOT_MOVED}


def test_the_probability_is_that_of_two_beta_posteriors() -> None:
    """Against a Monte Carlo of a million draws, whose standard error is 0.0005."""
    rng = np.random.default_rng(0)
    drawn = rng.beta(1 + 5, 1 + 7, 10**6) > rng.beta(1 + 6, 1 + 18, 10**6)
    assert probability_higher((5, 12), (6, 24)) == pytest.approx(drawn.mean(), abs=0.0025)
    assert probability_higher((6, 12), (12, 24)) == pytest.approx(0.5, abs=1e-6)
    assert probability_higher((0, 12), (24, 24)) == pytest.approx(0.0, abs=1e-6)


def test_nothing_moves_one_grade_in_five() -> None:
    """The rule's own error: of grades that asking does not move about a fifth pass as moved."""
    rng = np.random.default_rng(1)
    pairs = zip(rng.binomial(12, 0.5, 400), rng.binomial(24, 0.5, 400), strict=True)
    passed = np.mean([probability_higher((int(a), 12), (int(u), 24)) >= 0.8 for a, u in pairs])
    assert 0.1 < passed < 0.3


def test_the_pilot_asks_every_grade_on_other_base_queries_than_the_study() -> None:
    suite, tasks = get_suite("open"), get_tasks()
    prompts = pilot_prompts(tasks, suite, n_base_queries=100, seed=3)
    studied = {query.name for query in suite.draw(100, seed=3)}
    assert prompts["base_query"].nunique() == N_QUERIES
    assert not studied & set(prompts["base_query"])
    asked = prompts[prompts["constrained"]].groupby(["task", "grade"]).size()
    assert (asked == N_QUERIES).all()
    assert len(asked) == sum(len(suite.grades_of(task)) for task in tasks)
    with pytest.raises(InputError, match="at most 294 --base-queries"):
        pilot_prompts(tasks, suite, n_base_queries=300, seed=3)


CONFIG = StudyConfig(
    "if-tiny",
    suite="open",
    tasks=("word_count", "term_exclusion", "sentiment"),
    n_base_queries=12,
    prompts_per_query=2,
    max_new_tokens=24,
    layers=(1, 3),
    analyses=("specialist_vs_general", "specificity"),
    settings=AnalysisSettings(n_folds=3, n_bootstrap=20, n_permutations=20, n_random_subspaces=3),
)
"""The embedded model on prompts that it was not trained on: some grades it follows, others it cannot."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return Study.run(CONFIG, tmp_path_factory.mktemp("pilot") / "study")


def test_the_study_asks_what_the_pilot_kept(study: Study) -> None:
    table = pd.read_parquet(study.directory.pilot)
    asked = {task: set(part) for task, part in study.prompts.groupby("task")["grade"]}
    assert asked == {task: set(grades) for task, grades in kept_grades(table).items()}
    assert len(table) == 7 + 5 + 3
    assert pilot_table(pd.read_parquet(study.directory.pilot_responses)).equals(table)


def test_each_unconstrained_request_is_answered_once_and_verified_for_every_task(study: Study) -> None:
    responses = study.responses
    assert responses["response_id"].is_unique
    twins = responses[~responses["constrained"]]
    assert len(twins) == 3 * 12 * 2 * 2
    assert twins["answer"].nunique() == 12 * 2
    assert twins.groupby("answer")["response"].nunique().eq(1).all()
    assert twins.groupby("answer")["task"].nunique().eq(3).all()
    read = json.loads((study.directory.activations / "manifest.json").read_text())["n_rows"]
    asked = responses[responses["constrained"] & (responses["temperature"] > 0)]
    assert read == len(asked) + 12 * 2
    activations = study.activations
    at, rows = activations.features(3, "prompt_end"), activations.responses
    for _, group in rows[~rows["constrained"]].groupby("answer"):
        assert (at[group.index] == at[group.index[0]]).all()


def test_tasks_without_a_grade_are_described_and_in_no_verdict(study: Study) -> None:
    left_out = without_verdict(pd.read_parquet(study.directory.pilot))
    assert 0 < len(left_out) < 3
    compliance = study.compliance.set_index("task")
    for task, why in left_out.items():
        assert why in compliance.loc[task, "note"]
    for result in study.results.values():
        assert set(left_out).isdisjoint(result.table["task"])
        assert all(any(task in note for note in result.verdict.notes) for task in left_out)
    page = study.directory.report.read_text()
    assert 'id="pilot"' in page
    assert "at most 30" in page


def test_verdicts_are_repeated_on_the_labels_on_which_two_judges_agree(study: Study) -> None:
    judges, verdicts = (pd.read_parquet(study.directory.table("agreed", name)) for name in ("judges", None))
    assert verdicts["analysis"].tolist() == ["specialist_vs_general", "specificity"]
    if "sentiment" not in without_verdict(pd.read_parquet(study.directory.pilot)):
        assert judges["task"].tolist() == ["sentiment"]
    page = study.directory.report.read_text()
    assert "Two judges" in page
    assert 'aria-label="agreement of two judges"' in page
    assert (study.directory.root / "csv" / "agreed.judges.csv").is_file()
    recorded = study.directory.ledger.read()["stages"]["agreed"]
    assert "the second judge of sentiment (opinion-terms)" in recorded["key"]


def test_they_are_printed_again_or_refused_before_the_work(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = ["analyse", str(study.directory.root), "--agreed", "--only", "specificity"]
    assert main(ask) == 0
    shown = capsys.readouterr().out
    assert "sentiment" in shown and "on agreed labels" in shown
    copied = Study.open(shutil.copytree(study.directory.root, tmp_path / "study"))
    copied.directory.verdict("specificity").unlink()
    monkeypatch.setattr(closing, "agreement_of", None)  # what the work is done by
    assert main(["analyse", str(copied.directory.root), *ask[2:]]) == 2
    assert "has no result of specificity" in capsys.readouterr().err


def test_the_files_bear_themselves_out(study: Study) -> None:
    assert [finding.faults for finding in audit(study.directory.root, recompute=True)] == [()] * 8


def test_another_analysis_or_judge_costs_no_answer(study: Study, tmp_path: Path) -> None:
    from dataclasses import replace

    copy = shutil.copytree(study.directory.root, tmp_path / "study")
    seen: list[str] = []
    Study.run(CONFIG, copy, progress=lambda stage, *_: seen.append(stage))
    assert seen == []
    record = json.loads((copy / "study.json").read_text())
    assert record["config"]["suite"] == "open"
    assert {"pilot.responses", "pilot", "prompts"} <= set(record["stages"])
    with pytest.raises(InputError, match="suite 'open' against 'controlled'"):
        Study.run(replace(CONFIG, suite="controlled"), copy)
