import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from if_circuits.probes.control import control_labels, selectivity


@given(st.integers(0, 1000), st.integers(1, 99))
def test_control_labels_follow_the_group_and_match_the_balance(seed: int, positives: int):
    groups = np.arange(100) // 4
    labels = control_labels(np.arange(100) < positives, groups, seed=seed)
    assert all(len(set(labels[groups == group])) == 1 for group in range(25))
    assert abs(int(labels.sum()) - positives) <= 2


def test_control_labels_are_independent_of_the_task():
    y, groups = np.arange(400) < 200, np.arange(400)
    agreement = [np.mean(control_labels(y, groups, seed=seed) == y) for seed in range(100)]
    assert np.mean(agreement) == pytest.approx(0.5, abs=0.01)


def test_a_direction_is_selective_and_fingerprints_of_groups_are_not():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 6)
    y = rng.random(240) < 0.5
    direction = rng.normal(size=(240, 60))
    direction[:, 0] += 3.0 * y
    fingerprints = 3.0 * rng.normal(size=(40, 60))[groups] + rng.normal(size=(240, 60))
    clean = selectivity(direction, y, groups, n_folds=3, seed=0)
    memorised = selectivity(fingerprints, (rng.random(40) < 0.5)[groups], groups, n_folds=3, seed=0)
    assert clean.selectivity > 0.3
    assert memorised.real > 0.9
    assert abs(memorised.selectivity) < 0.1
    assert len(clean.control) == 5


def test_rows_left_out_or_absent_change_nothing():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 6)
    X, y = rng.normal(size=(120, 5)), rng.random(120) < 0.5
    holes, keep = np.arange(120) % 6 == 0, np.arange(120) % 6 != 1
    with_holes = selectivity(np.where(holes[:, None], np.nan, X), y, groups, n_folds=3, seed=0, keep=keep)
    rows = ~holes & keep
    assert with_holes.real == selectivity(X[rows], y[rows], groups[rows], n_folds=3, seed=0).real
