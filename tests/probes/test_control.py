import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from if_circuits.probes.control import control_labels


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
