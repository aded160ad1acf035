import numpy as np
import pytest

from if_circuits.analyses.shared.probing import left_out_rows, probing_rows, report_folds
from if_circuits.analyses.validation.simulation.studies import TASKS
from if_circuits.errors import InputError
from tests.analyses.planted import SETTINGS, judge_again, small_study


def test_no_base_query_is_split_and_all_tasks_and_positions_share_the_folds() -> None:
    source = small_study("null")
    last, start = (probing_rows(source, SETTINGS, position) for position in ("last", "prompt_end"))
    np.testing.assert_array_equal(last.fold_of_query, start.fold_of_query)
    names = source.responses["base_query"].to_numpy()[last.rows]
    for name in np.unique(names):
        assert len(np.unique(last.fold_of_row[names == name])) == 1
    assert set(np.unique(last.fold_of_row)) == set(range(5))


def test_only_constrained_and_decided_responses_are_probed() -> None:
    source = small_study("null")
    judge_again(source, "topic", np.array(["undecided"] * 30 + ["satisfied", "violated"] * 45))
    rows = probing_rows(source, SETTINGS, "last")
    kept = source.responses.iloc[rows.rows]
    assert kept["constrained"].all()
    assert set(kept["verdict"]) == {"satisfied", "violated"}
    np.testing.assert_array_equal(rows.labels, kept["verdict"] == "satisfied")
    assert rows.undecided["topic"] == 30
    assert any("30 undecided" in note for note in rows.notes())


def test_stack_and_tasks_tell_the_same_story() -> None:
    source = small_study("null")
    rows = probing_rows(source, SETTINGS, "last")
    names = source.responses["task"].to_numpy()[rows.rows]
    for task, (labelled, own) in enumerate(zip(rows.tasks, rows.of_task, strict=True)):
        assert set(names[own]) == {labelled.name}
        np.testing.assert_array_equal(rows.masks()[:, task], names == labelled.name)


def test_features_lose_the_mean_of_their_task_and_nothing_else() -> None:
    source = small_study("separate")
    rows = probing_rows(source, SETTINGS, "last")
    centred, raw = rows.features(source, 1), source.features(1, "last")[rows.rows]
    for own in rows.of_task:
        np.testing.assert_allclose(centred[own].mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(np.diff(centred[own], axis=0), np.diff(raw[own], axis=0), atol=1e-5)


def test_responses_without_the_position_are_left_out() -> None:
    source = small_study("null", positions=("last", "eos"))
    truncated = source.responses["truncated"].to_numpy(dtype=bool)
    rows = probing_rows(source, SETTINGS, "eos")
    assert truncated.any()
    assert not truncated[rows.rows].any()


def test_tasks_with_too_little_are_named_with_the_reason() -> None:
    source = small_study("null")
    one_fold = probing_rows(source, SETTINGS, "last").fold_of_query == 0
    responses = source.responses[(source.responses["task"] == "topic") & source.responses["constrained"]]
    query = responses["base_query"].factorize(sort=True)[0]
    judge_again(source, "topic", np.where(one_fold[query], "violated", "satisfied"))
    judge_again(source, "register", np.array(["satisfied"] * 120))
    rows = probing_rows(source, SETTINGS, "last")
    assert rows.left_out["topic"] == "all responses of one verdict fall into one fold"
    assert "0 violated" in rows.left_out["register"]
    assert [task.name for task in rows.tasks] == [task for task in TASKS if task not in ("topic", "register")]
    table = left_out_rows([rows])
    assert set(table["task"]) == {"topic", "register"}


def test_a_task_whose_responses_fall_into_two_folds_is_left_out() -> None:
    """A third must choose the penalty of the probe that the first tests and the second trains."""
    source = small_study("null")
    folds = probing_rows(source, SETTINGS, "last").fold_of_query
    responses = source.responses[(source.responses["task"] == "topic") & source.responses["constrained"]]
    query = responses["base_query"].factorize(sort=True)[0]
    verdicts = np.where(np.arange(len(query)) % 2 == 0, "satisfied", "violated")
    judge_again(source, "topic", np.where(folds[query] < 2, verdicts, "undecided"))
    assert probing_rows(source, SETTINGS, "last").left_out == {
        "topic": "its responses fall into 2 folds; 3 are needed"
    }


def test_fewer_base_queries_than_folds_are_refused() -> None:
    with pytest.raises(InputError, match="groups"):
        probing_rows(small_study("null", n_base_queries=3), SETTINGS, "last")


def test_each_fold_reports_its_own_layer() -> None:
    rows = probing_rows(small_study("null"), SETTINGS, "last")
    layers = [np.full(len(rows.rows), float(layer)) for layer in range(3)]
    index = np.array([2, 0, 1, 1, 0])
    np.testing.assert_array_equal(report_folds(layers, index, rows), index[rows.fold_of_row])
