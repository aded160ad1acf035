"""Pairing by group: every row in one half, means of the right rows."""

import numpy as np
import pytest

from if_circuits.similarity.halves import pair_halves


def test_the_halves_of_a_group_share_no_row_and_miss_none() -> None:
    groups = np.array([3, 1, 1, 3, 1, 2, 2, 3, 4, 4, 4, 4, 3])
    sizes = {1: (1, 2), 2: (1, 1), 3: (2, 2), 4: (2, 2)}
    X = np.eye(len(groups))  # each row marks itself in the means
    paired = pair_halves({"a": X}, {"a": groups}, seed=0)
    one, other = paired.activations["a"]
    assert paired.groups.tolist() == [1, 2, 3, 4]
    for row, group in enumerate(paired.groups):
        first, second = np.flatnonzero(one[row]), np.flatnonzero(other[row])
        assert (len(first), len(second)) == sizes[group]
        assert sorted([*first, *second]) == np.flatnonzero(groups == group).tolist()
        np.testing.assert_allclose(one[row, first], 1 / len(first))


def test_the_split_is_random_and_repeatable() -> None:
    groups = np.repeat(np.arange(30), 4)
    X = np.random.default_rng(0).normal(size=(120, 3))
    first, again, other = (
        pair_halves({"a": X}, {"a": groups}, seed=s).activations["a"][0] for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any(axis=1).mean() > 0.5


def test_groups_pair_up_across_tasks_whatever_the_order_of_rows() -> None:
    names = np.array([f"q{i}" for i in range(12)])
    values = {name: float(i) for i, name in enumerate(names)}
    rng = np.random.default_rng(0)
    groups = {"a": rng.permutation(np.repeat(names, 2)), "b": rng.permutation(np.repeat(names[2:], 5))}
    paired = pair_halves(
        {task: np.array([[values[name]] for name in rows]) for task, rows in groups.items()}, groups, seed=0
    )
    assert set(paired.groups) == set(names[2:])
    for one, other in paired.activations.values():
        np.testing.assert_allclose(one[:, 0], [values[name] for name in paired.groups])
        np.testing.assert_allclose(other, one)


def test_too_few_groups_and_absent_positions_are_named() -> None:
    groups = np.arange(6)
    with pytest.raises(ValueError, match="0 groups have two rows or more in each of a, b; at least 4"):
        pair_halves({"a": np.ones((6, 2)), "b": np.ones((6, 2))}, {"a": groups, "b": groups}, seed=0)
    X = np.ones((12, 2))
    X[3] = np.nan
    with pytest.raises(ValueError, match="1 of 12 rows are not finite"):
        pair_halves({"a": X}, {"a": np.repeat(groups, 2)}, seed=0)
