import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from if_circuits.erasure.difference_in_means import DifferenceInMeans
from tests.probes.planted import planted


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_class_means_become_equal_and_the_mean_stays(seed: int):
    X, y = planted(60, 8, seed=seed)
    subspace = DifferenceInMeans().fit(X, y, groups=np.arange(60), seed=0)
    left = subspace.remove(X)
    assert subspace.rank == 1
    np.testing.assert_allclose(left[y].mean(axis=0), left[~y].mean(axis=0), atol=1e-9 * np.abs(X).max())
    np.testing.assert_allclose(left.mean(axis=0), X.mean(axis=0), atol=1e-9 * np.abs(X).max())


def test_what_is_orthogonal_to_the_difference_is_untouched():
    X = np.array([[1.0, 5.0], [1.0, -3.0], [-1.0, 2.0], [-1.0, 0.0]])
    left = (
        DifferenceInMeans()
        .fit(X, np.array([True, True, False, False]), groups=np.arange(4), seed=0)
        .remove(X)
    )
    np.testing.assert_allclose(left, np.column_stack([np.zeros(4), X[:, 1]]), atol=1e-12)


def test_equal_means_leave_nothing_to_remove():
    X = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    assert (
        DifferenceInMeans().fit(X, np.array([True, True, False, False]), groups=np.arange(4), seed=0).rank
        == 0
    )
