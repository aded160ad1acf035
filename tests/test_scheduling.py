"""Tests that share a costly fixture stay in one process; all others are handed out one by one."""

from __future__ import annotations

from tests.scheduling import home_of


def test_a_module_with_a_costly_fixture_stays_together() -> None:
    assert home_of("tests/study/test_same_tables.py").endswith("tests/study/test_same_tables.py")
    assert home_of("tests/study/test_lock.py") == ""


def test_of_a_folder_those_stay_together_that_use_what_it_offers() -> None:
    study = home_of("tests/study/test_study.py")
    assert study.endswith("tests/study")
    assert study == home_of("tests/study/test_again.py") == home_of("tests/study/test_pairs.py")
    assert home_of("tests/study/test_nothing_stale.py").endswith("test_nothing_stale.py")  # has its own


def test_a_folder_with_one_stays_together_and_the_root_is_no_such_folder() -> None:
    behaviour = home_of("tests/analyses/causal_ablation/test_behaviour.py")
    assert behaviour == home_of("tests/analyses/causal_ablation/test_both_ways.py") != ""
    assert home_of("tests/test_inputs.py") == ""
