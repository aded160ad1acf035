from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.shared.both_labels import NATURAL, of_labels
from if_circuits.analyses.specialist_vs_general.analysis import figure, run
from if_circuits.analyses.validation.calibration.runs import by_numbers
from if_circuits.analyses.validation.simulation.studies import TASKS
from tests.analyses.planted import SETTINGS, judge_again, small_study
from tests.precision import rounding


@cache
def found(mechanism: str) -> AnalysisResult:
    return run(small_study(mechanism), SETTINGS)


@pytest.mark.parametrize(
    ("mechanism", "supported"),
    [("separate", True), ("families", True), ("universal", False), ("null", False)],
)
def test_returns_the_planted_answer(mechanism: str, supported: bool) -> None:
    result = found(mechanism)
    assert (by_numbers(result.verdict, alpha=SETTINGS.alpha) == "supported") == supported
    low, high = result.verdict.interval
    assert low <= result.verdict.effect <= high
    assert result.verdict.n == 30


def test_the_lead_is_described_and_judged_nowhere() -> None:
    """It comes out alike with one mechanism and with nine where words differ between tasks."""
    result = found("separate")
    assert {result.verdict.verdict, *result.tables["labels"]["verdict"]} == {"described"}
    assert result.verdict.notes[0].startswith("no verdict is drawn: specialists lead by as much")
    assert found("null").verdict.verdict == "inconclusive"
    assert not any("no verdict is drawn" in note for note in found("null").verdict.notes)


def test_a_universal_direction_serves_a_task_that_the_probe_never_saw() -> None:
    shared, apart = (
        found(mechanism).tables["cross_fitted"].groupby("probe")["auroc"].mean()
        for mechanism in ("universal", "separate")
    )
    assert shared["leave_one_out"] > shared["specialist"] - 0.03
    assert apart["leave_one_out"] < 0.6 < apart["specialist"]


def test_how_universal_is_a_ratio_unless_the_specialists_are_at_chance() -> None:
    (told,) = [note for note in found("universal").verdict.notes if note.startswith("universality")]
    assert 0.9 < float(told.split()[2]) < 1.2
    (told,) = [note for note in found("null").verdict.notes if note.startswith("universality")]
    assert told.startswith("universality: no ratio, since its denominator (")


def test_specialists_and_general_train_on_equally_many_rows_with_every_class_counted() -> None:
    source = small_study("separate")
    undecided = np.array(["undecided"] * 20 + ["satisfied", "violated"] * 50)
    judge_again(source, "topic", undecided)
    table = run(source, SETTINGS).table
    probes = table[table["probe"].isin(["specialist", "general"])]
    counts = probes.pivot_table(index=["task", "layer", "position"], columns="probe", values="n_train")
    np.testing.assert_allclose(counts["specialist"], counts["general"], rtol=rounding(10))  # means over folds
    topic = table[table["task"] == "topic"].iloc[0]
    assert topic["n_undecided"] == 20
    assert topic["n"] == topic["n_satisfied"] + topic["n_violated"] == 100


def test_a_surface_cue_is_read_by_the_words_baseline_too() -> None:
    table = found("surface").table
    last = table[table["position"] == "last"]
    words, length, majority = (
        last[last["probe"] == name]["auroc"].mean() for name in ("text", "length", "majority")
    )
    probes = last[(last["probe"] == "specialist") & (last["layer"] == 1)]["auroc"].mean()
    assert words > probes
    assert length > 0.55
    assert majority == 0.5


def test_a_task_without_violations_is_named_with_its_reason_and_not_averaged() -> None:
    source = small_study("separate")
    judge_again(source, "register", np.array(["violated"] * 4 + ["satisfied"] * 116))
    result = run(source, SETTINGS)
    table = of_labels(result.table, NATURAL)
    left_out = table[table["task"] == "register"]
    assert left_out["reason"].str.contains("4 violated").all()
    assert left_out["auroc"].isna().all()
    assert any("register left out" in note for note in result.verdict.notes)
    assert "register" not in set(result.tables["cross_fitted"]["task"])


def test_with_a_single_task_nothing_is_concluded() -> None:
    source = small_study("separate")
    for task in TASKS[1:]:
        judge_again(source, task, np.array(["undecided"] * 120))
    result = run(source, SETTINGS)
    assert result.verdict.verdict == "inconclusive"
    assert set(of_labels(result.table, NATURAL)["task"]) == set(TASKS[1:])
    figure(result)


def test_figure_names_effect_interval_and_sample_size() -> None:
    result = found("separate")
    drawing = figure(result)
    assert f"{result.verdict.effect:+.3f}" in drawing.get_suptitle()
    assert "30 base queries" in drawing.get_suptitle()
    curves, tasks = drawing.axes[0], drawing.axes[-1]
    assert [tick.get_text() for tick in curves.get_xticklabels()] == ["embed", "0", "1"]
    assert len(tasks.get_yticklabels()) == 9


def test_figure_stars_the_tasks_whose_probes_differ_after_correction() -> None:
    result = found("separate")
    differences = result.tables["differences"]
    chosen = differences["task"].isin(["topic", "word_count"])
    marked = differences.assign(p_holm=np.where(chosen, 0.01, 0.2), labels=NATURAL)
    drawing = figure(replace(result, tables={**result.tables, "differences": marked}))
    names = [tick.get_text() for tick in drawing.axes[-1].get_yticklabels()]
    assert [name for name in names if "*" in name] == ["word count *", "topic *"]


def test_other_methods_and_control_tasks_stand_beside_the_specialist() -> None:
    result = found("separate")
    last = result.table[(result.table["position"] == "last") & (result.table["labels"] == NATURAL)]
    counts = last.groupby("probe").size()
    assert counts["mean_difference"] == counts["lda"] == counts["recurring"] == 9
    assert counts["control_task"] == 9 * 5
    aurocs = (
        last[last["layer"] == last[last["probe"] == "lda"]["layer"].iloc[0]].groupby("probe")["auroc"].mean()
    )
    assert aurocs["lda"] == pytest.approx(aurocs["specialist"], abs=0.03)
    assert aurocs["mean_difference"] == pytest.approx(aurocs["specialist"], abs=0.06)
    assert (last.loc[last["probe"] != "majority", "n_over_d"] > 0).all()

    selective = result.tables["selectivity"]
    assert (selective["low"] > 0).all()
    assert (selective["p_permutation"] <= 0.05).all()
    # Activations always show the base query, so that without a signal the control tasks are the easier ones.
    nothing = found("null").tables["selectivity"]
    assert (nothing["selectivity"] < 0).all()
    assert (nothing["p_permutation"] <= 0.05).sum() <= 2
