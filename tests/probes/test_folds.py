import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from if_circuits.errors import InputError
from if_circuits.probes.folds import folds_within_groups, grouped_folds

names = st.lists(st.text(min_size=1, max_size=4), min_size=5, max_size=60).filter(lambda g: len(set(g)) >= 5)


@example(["0", "1", "2", "00", "01", "0\0"], 2, 0)  # an array of strings loses the NUL
@given(names, st.integers(2, 5), st.integers(0, 10))
def test_groups_are_never_split_and_folds_hold_equally_many(groups: list[str], n_folds: int, seed: int):
    folds = grouped_folds(groups, n_folds=n_folds, seed=seed)
    fold_of = dict(zip(groups, folds.tolist(), strict=True))
    assert [fold_of[group] for group in groups] == folds.tolist()
    sizes = np.bincount(list(fold_of.values()), minlength=n_folds)
    assert sizes.max() - sizes.min() <= 1


@given(names, st.randoms())
def test_the_order_and_number_of_rows_are_immaterial(groups: list[str], random):
    shuffled = groups * 2
    random.shuffle(shuffled)
    first = dict(zip(groups, grouped_folds(groups, n_folds=3, seed=1), strict=True))
    again = dict(zip(shuffled, grouped_folds(shuffled, n_folds=3, seed=1), strict=True))
    assert first == again


def test_a_subset_of_rows_that_keeps_all_groups_keeps_the_folds():
    groups = np.array([f"q{k // 4}" for k in range(80)])
    folds = grouped_folds(groups, n_folds=5, seed=3)
    np.testing.assert_array_equal(folds[::4], grouped_folds(groups[::4], n_folds=5, seed=3))


def test_the_seed_decides_and_other_seeds_differ():
    groups = np.arange(100)
    first = grouped_folds(groups, n_folds=5, seed=0)
    np.testing.assert_array_equal(first, grouped_folds(groups, n_folds=5, seed=0))
    assert (first != grouped_folds(groups, n_folds=5, seed=1)).any()


def test_labels_balance_the_classes_of_folds():
    groups, labels = np.arange(60), np.arange(60) < 10
    folds = grouped_folds(groups, n_folds=5, seed=0, labels=labels)
    assert [int(labels[folds == fold].sum()) for fold in range(5)] == [2] * 5


@pytest.mark.parametrize(("groups", "n_folds"), [(["a", "b", "b"], 3), (["a", "b"], 1)])
def test_too_few_groups_or_folds_are_refused(groups: list[str], n_folds: int):
    with pytest.raises(InputError, match="folds"):
        grouped_folds(groups, n_folds=n_folds, seed=0)


def test_folds_within_groups_put_every_group_on_both_sides():
    groups = np.repeat(np.arange(12), 6)
    folds = folds_within_groups(groups, n_folds=3, seed=0)
    for group in range(12):
        assert np.bincount(folds[groups == group]).tolist() == [2, 2, 2]


def test_folds_within_groups_of_one_row_are_refused():
    with pytest.raises(InputError, match="2 rows"):
        folds_within_groups(np.arange(9), n_folds=3, seed=0)


def test_folds_within_groups_keep_a_text_in_one_fold():
    groups, texts = np.repeat(np.arange(10), 8), np.arange(80) // 2
    folds = folds_within_groups(groups, n_folds=3, seed=0, texts=texts)
    np.testing.assert_array_equal(folds[::2], folds[1::2])
    assert all(len(set(folds[groups == group])) == 3 for group in range(10))
