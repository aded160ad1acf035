"""The weighted AUROC against scikit-learn, with and without ties."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from if_circuits.statistics.auroc import auroc, weighted_auroc

ROWS = st.lists(
    st.tuples(st.integers(-3, 3), st.booleans(), st.integers(0, 4)),  # few score values, hence many ties
    min_size=2,
    max_size=40,
)


@given(ROWS)
def test_equals_scikit_learn_under_ties_and_weights(rows: list[tuple[int, bool, int]]) -> None:
    scores, labels, weights = (np.array(column) for column in zip(*rows, strict=True))
    assume(len(set(labels[weights > 0])) == 2)
    expected = roc_auc_score(labels, scores, sample_weight=weights)
    actual = weighted_auroc(scores.astype(float), labels, weights[None].astype(float))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)


def test_continuous_scores_equal_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels = rng.random(500) < 0.3
    scores = rng.normal(size=500) + labels
    assert auroc(scores, labels) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_a_weight_of_two_is_the_row_twice() -> None:
    scores, labels = np.array([0.1, 0.5, 0.5, 0.9]), np.array([0, 1, 0, 1])
    twice = [0, 1, 1, 2, 3]
    weighted = weighted_auroc(scores, labels, np.array([[1.0, 2.0, 1.0, 1.0]]))
    assert weighted[0] == pytest.approx(auroc(scores[twice], labels[twice]))


def test_one_class_is_undefined_and_not_a_half() -> None:
    scores, labels = np.array([0.1, 0.2, 0.3]), np.array([0, 1, 1])
    result = weighted_auroc(scores, labels, np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]]))
    assert np.isnan(result[0]) and result[1] == 1.0


def test_nan_scores_are_refused_with_their_count() -> None:
    with pytest.raises(ValueError, match="1 of 2 scores are NaN"):
        auroc(np.array([np.nan, 1.0]), np.array([0, 1]))
