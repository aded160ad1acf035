"""Principal components: scikit-learn's, cut at the rank."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from if_circuits.similarity.reduction import default_components, reduce


def test_scores_equal_scikit_learn_up_to_sign() -> None:
    X = np.random.default_rng(0).normal(size=(50, 8)) * np.arange(1, 9) + 5
    reduced = reduce(X, k=3)
    expected = PCA(3, svd_solver="full").fit_transform(X)
    np.testing.assert_allclose(np.abs(reduced.scores), np.abs(expected), atol=1e-10)
    np.testing.assert_allclose(reduced.basis.T @ reduced.basis, np.eye(3), atol=1e-12)


def test_no_more_components_than_the_rank() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 8)) + 100
    assert len(reduce(X, k=5).scale) == 2
    assert len(reduce(np.full((10, 4), 7.3), k=2).scale) == 0
    assert len(reduce(rng.normal(size=(4, 100)), k=10).scale) == 3


def test_defaults_stay_far_below_the_number_of_rows() -> None:
    assert [default_components(n) for n in (4, 10, 100, 10_000)] == [1, 1, 10, 32]


def test_absent_positions_are_named() -> None:
    X = np.ones((5, 3))
    X[2] = np.nan
    with pytest.raises(ValueError, match="1 of 5 rows are not finite"):
        reduce(X, k=1)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        reduce(X[:2], k=0)
