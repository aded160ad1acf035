import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from if_circuits.probes.baselines import bag_of_tokens, length_features, token_counts
from if_circuits.probes.evaluate import out_of_fold
from if_circuits.probes.folds import grouped_folds

GROUPS = np.arange(300) // 3


def texts(seed: int = 0) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 40, size=rng.integers(5, 15)).tolist() for _ in range(300)]


@pytest.mark.parametrize("low", [0, 10])
def test_length_gives_away_a_limit_and_an_exact_count(low: int):
    n_tokens = np.random.default_rng(0).integers(1, 31, size=300)
    y = (n_tokens >= low) & (n_tokens <= low + 10)
    assert out_of_fold(length_features(n_tokens), y, GROUPS, n_folds=5, seed=0).auroc > 0.95


def test_a_word_that_decides_is_found_on_unseen_queries_and_other_labels_are_not():
    rows = texts()
    y = np.array([7 in row for row in rows])
    assert bag_of_tokens([rows], y, GROUPS, n_folds=5, seed=0).auroc > 0.97
    unrelated = np.random.default_rng(1).random(300) < 0.5
    assert abs(bag_of_tokens([rows], unrelated, GROUPS, n_folds=5, seed=0).auroc - 0.5) < 0.12


def test_prompt_and_response_have_their_own_vocabularies():
    rows = texts()
    y = np.array([7 in row for row in rows])
    assert bag_of_tokens([texts(1), rows], y, GROUPS, n_folds=5, seed=0).auroc > 0.95
    assert token_counts([rows, rows]).shape[1] == 2 * token_counts([rows]).shape[1]


def test_counts_are_logarithms_of_the_tokens_that_recur():
    X = token_counts([[[5, 5, 9], [5], [8]]])
    np.testing.assert_allclose(X, np.log1p([[2.0], [1.0], [0.0]]))
    assert token_counts([[[1], [2], []]]).tolist() == [[0.0]] * 3


def test_a_position_without_any_response_token_is_worth_half():
    y = np.arange(300) % 2 == 0
    assert bag_of_tokens([[[] for _ in range(300)]], y, GROUPS, n_folds=5, seed=0).auroc == pytest.approx(0.5)


def test_the_classifier_is_plain_l2_logistic_regression_on_the_same_folds():
    rows = texts()
    y = np.array([(7 in row) or (8 in row) for row in rows])
    found = bag_of_tokens([rows], y, GROUPS, n_folds=5, seed=0)
    X, folds = token_counts([rows]), grouped_folds(GROUPS, n_folds=5, seed=0)
    np.testing.assert_array_equal(found.folds, folds)
    train = folds != 2
    expected = LogisticRegression(C=found.C[2], tol=1e-10, max_iter=10_000).fit(X[train], y[train])
    scores = expected.decision_function(X[~train])
    np.testing.assert_allclose(found.scores[~train], scores, atol=1e-3 * np.abs(scores).max())


def test_undecided_rows_are_left_out():
    y = np.array([7 in row for row in texts()])
    keep = np.arange(300) % 2 == 0
    found = bag_of_tokens([texts()], y, GROUPS, n_folds=5, seed=0, keep=keep)
    np.testing.assert_array_equal(np.isfinite(found.scores), keep)
    assert found.n == 150
