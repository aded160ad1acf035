import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from if_circuits.errors import InputError
from if_circuits.probes.logistic import fit_logistic
from tests.precision import assert_within, product
from tests.probes.planted import planted, reference, solver_error


def assert_same_solution(X, y, weights, C):
    """Decision values of every right-hand side within 1e-3 of scikit-learn's largest, AUROC within 1e-4."""
    fits = fit_logistic(X, y, weights=weights, C=C)
    assert fits.converged.all()
    assert fits.reasons == ("",) * len(C)
    scores = fits.scores(X)
    for j, penalty in enumerate(C):
        rows = weights[:, j] > 0
        expected = reference(X[rows], y[rows, j], C=penalty).decision_function(X.astype(np.float64))
        assert np.abs(scores[:, j] - expected).max() < 1e-3 * np.abs(expected).max()
        assert abs(roc_auc_score(y[:, j], scores[:, j]) - roc_auc_score(y[:, j], expected)) < 1e-4


@pytest.mark.parametrize(("n", "d"), [(300, 20), (120, 60), (60, 150), (50, 400)])
def test_agrees_with_scikit_learn_over_penalties_labels_and_row_sets(n: int, d: int):
    X, y = planted(n, d)
    rng = np.random.default_rng(1)
    C = [1e-4, 1e-2, 1.0, 30.0]
    labels = np.stack([y, y, ~y, rng.permutation(y)], axis=1)
    assert_same_solution(X, labels, rng.random((n, 4)) < 0.8, C)


def wide(n: int, d: int):
    """Float32 rows of more features than rows, of which a few lie far apart and two are constant."""
    X, y = planted(n, d)
    X[:, 0] *= 1e4
    X[:, 1:4] += 1e4
    X[3, 4] += 1e3
    X[:, 5] = 0.1
    X[:, 6] = np.where(np.arange(n) < n - 10, 0.1, 5.0)
    return X.astype(np.float32), y


def test_agrees_with_more_features_than_rows_over_folds_that_share_rows():
    X, y = wide(120, 400)
    rng = np.random.default_rng(1)
    C = np.tile([1e-4, 1e-2, 1.0, 1e3], 4)
    labels = np.repeat(np.stack([y, y, ~y, rng.permutation(y)], axis=1), 4, axis=1)
    weights = np.repeat(np.arange(120)[:, None] // 30 != np.arange(4), 4, axis=1)
    assert_same_solution(X, labels, weights, C)


def test_agrees_where_rows_are_nearly_the_same_and_labelled_apart():
    # The Gram matrix of such rows is close to singular, and float32 alone would not do.
    X, y = planted(60, 400)
    X, y = np.vstack([X, X + 1e-4 * np.random.default_rng(2).normal(size=X.shape)]), np.concatenate([y, ~y])
    assert_same_solution(X, np.repeat(y[:, None], 2, axis=1), np.ones((120, 2)), [1.0, 1e5])


def test_weights_and_a_missing_class_with_more_features_than_rows():
    X, y = planted(50, 400)
    counts = np.random.default_rng(0).integers(0, 3, size=50)
    weights, repeated = np.stack([counts, y], axis=1).astype(float), np.repeat(np.arange(50), counts)
    fits = fit_logistic(X, np.stack([y, y], axis=1), weights=weights, C=[0.1, 0.1])
    expected = reference(X[repeated], y[repeated], C=0.1).decision_function(X)
    np.testing.assert_allclose(fits.scores(X)[:, 0], expected, atol=1e-3 * np.abs(expected).max())
    assert "one class" in fits.reasons[1]


def test_agrees_on_separable_data():
    X, _ = planted(80, 6)
    assert_same_solution(
        X, np.repeat((X[:, :1] > np.median(X[:, 0])), 2, axis=1), np.ones((80, 2)), [1.0, 1e4]
    )


def test_agrees_on_two_rows():
    X = np.array([[1.0, 2.0, 3.0], [2.0, 0.0, 3.0]])
    assert_same_solution(X, np.array([[True], [False]]), np.ones((2, 1)), [1.0])


def test_agrees_on_float32_activations_of_size_ten_thousand():
    X, y = planted(200, 10)
    large = (X + 1e4 * np.arange(-5, 5)).astype(np.float32)
    assert_same_solution(large, y[:, None], np.ones((200, 1)), [0.1])


def test_no_penalty_finds_the_maximum_likelihood():
    X, y = planted(400, 3)
    fits = fit_logistic(X, y[:, None], weights=np.ones((400, 1)), C=[np.inf])
    expected = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000).fit(X, y).decision_function(X)
    np.testing.assert_allclose(fits.scores(X)[:, 0], expected, atol=1e-3)
    assert fits.converged[0]


def test_no_penalty_on_separated_classes_is_said_to_have_no_optimum():
    X = np.linspace(-1, 1, 20)[:, None]
    fits = fit_logistic(X, X > 0, weights=np.ones((20, 1)), C=[np.inf])
    assert not fits.converged[0]
    assert "separated" in fits.reasons[0]


def test_constant_features_are_ignored_even_if_constant_only_in_training_rows():
    X, y = planted(120, 5)
    X = np.column_stack([X, np.full(120, 7.3), np.where(np.arange(120) < 100, 0.1, 5.0)])
    weights = (np.arange(120) < 100)[:, None]
    fits = fit_logistic(X, y[:, None], weights=weights, C=[1.0])
    assert fits.weight[0, 5:].tolist() == [0.0, 0.0]
    assert fits.scale[0, 5:].tolist() == [1.0, 1.0]
    assert_same_solution(X, y[:, None], weights, [1.0])


def test_features_that_are_all_constant_leave_the_prior():
    y = np.array([[True], [True], [True], [False]])
    fits = fit_logistic(np.full((4, 2), 3.0), y, weights=np.ones((4, 1)), C=[1.0])
    np.testing.assert_allclose(fits.scores(np.zeros((2, 2))), np.log(3.0), rtol=1e-4)
    assert fits.converged[0]
    assert fits.prior[0] == pytest.approx(np.log(3.0))


def test_a_missing_class_is_recorded_and_spoils_nothing_else():
    X, y = planted(60, 4)
    weights = np.stack([np.ones(60), y, np.zeros(60)], axis=1)
    fits = fit_logistic(X, np.repeat(y[:, None], 3, axis=1), weights=weights, C=[1.0, 1.0, 1.0])
    assert fits.reasons[0] == ""
    assert "one class" in fits.reasons[1]
    assert "no training rows" in fits.reasons[2]
    assert fits.converged.tolist() == [True, False, False]
    scores = fits.scores(X)
    assert np.isfinite(scores[:, 0]).all()
    assert np.isnan(scores[:, 1:]).all()


def test_reaching_the_iteration_limit_is_recorded():
    X, y = planted(100, 10)
    fits = fit_logistic(X, y[:, None], weights=np.ones((100, 1)), C=[100.0], max_iterations=1)
    assert not fits.converged[0]
    assert fits.reasons[0] == "not converged after 1 iterations"


def test_the_recorded_gradient_certifies_the_solution():
    X, y = planted(200, 12)
    fits = fit_logistic(X, y[:, None], weights=np.ones((200, 1)), C=[0.5])
    Z = (X - fits.mean[0]) / fits.scale[0]
    p = 1 / (1 + np.exp(-fits.scores(X)[:, 0]))
    gradient = Z.T @ (p - y) + fits.weight[0] / 0.5
    assert np.linalg.norm(gradient) == pytest.approx(fits.gradient_norm[0], rel=1e-3)
    assert fits.gradient_norm[0] <= 1e-4 * np.linalg.norm(fits.weight[0]) / 0.5
    assert abs((p - y).sum()) < 1e-4


def test_without_standardising_the_penalty_is_on_the_features_own_scale():
    X, y = planted(150, 8)
    fits = fit_logistic(X, y[:, None], weights=np.ones((150, 1)), C=[0.2], standardise=False)
    expected = LogisticRegression(C=0.2, tol=1e-10, max_iter=10_000).fit(X, y).decision_function(X)
    np.testing.assert_allclose(fits.scores(X)[:, 0], expected, atol=1e-3)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 3), min_size=40, max_size=40), st.sampled_from([0.01, 1.0]))
def test_an_integer_weight_is_a_row_repeated(counts: list[int], C: float):
    X, y = planted(40, 5)
    weights = np.array(counts, dtype=float)[:, None]
    fits = fit_logistic(X, y[:, None], weights=weights, C=[C], tolerance=1e-8)
    repeated = np.repeat(np.arange(40), counts)
    if len(set(y[repeated])) < 2:
        assert fits.reasons[0].startswith("not fitted")
        return
    ones = np.ones((len(repeated), 1))
    again = fit_logistic(X[repeated], y[repeated, None], weights=ones, C=[C], tolerance=1e-8)
    assert_within(fits.scores(X), again.scores(X), solver_error(fits, X, 1e-8))


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_units_and_shifts_of_features_do_not_matter(seed: int):
    X, y = planted(50, 6)
    rng = np.random.default_rng(seed)
    other = X * np.exp(rng.uniform(-6, 6, size=6)) + 100 * rng.normal(size=6)
    weights = rng.random((50, 1)) < 0.8
    a, b = (
        fit_logistic(features, y[:, None], weights=weights, C=[1.0], tolerance=1e-8)
        for features in (X, other)
    )
    assert_within(a.scores(X), b.scores(other), solver_error(a, X, 1e-8))


def test_rows_of_no_weight_may_hold_nan_but_rows_that_train_may_not():
    X, y = planted(40, 3)
    X[0] = np.nan
    weights = np.ones((40, 1))
    with pytest.raises(InputError, match="NaN"):
        fit_logistic(X, y[:, None], weights=weights, C=[1.0])
    weights[0] = 0
    scores = fit_logistic(X, y[:, None], weights=weights, C=[1.0]).scores(X)
    assert np.isnan(scores[0]).all()
    assert np.isfinite(scores[1:]).all()


def test_take_and_concatenate_undo_each_other():
    X, y = planted(30, 3)
    fits = fit_logistic(X, np.stack([y, ~y], axis=1), weights=np.ones((30, 2)), C=[1.0, 2.0])
    swapped = type(fits).concatenate([fits.take(np.array([1])), fits.take(np.array([0]))])
    slopes = (fits.weight / fits.scale)[::-1]
    bound = product(X - fits.mean[0], slopes.T) + product(fits.mean, slopes.T).max()
    assert_within(swapped.scores(X), fits.scores(X)[:, ::-1], bound)
    assert swapped.C.tolist() == [2.0, 1.0]


@pytest.mark.parametrize(
    ("labels", "weights", "C", "message"),
    [
        (np.zeros((4, 1), dtype=bool), np.ones((4, 2)), [1.0], "must agree"),
        (np.zeros((4, 1), dtype=int), np.ones((4, 1)), [1.0], "bool"),
        (np.zeros((4, 1), dtype=bool), -np.ones((4, 1)), [1.0], "negative"),
        (np.zeros((4, 1), dtype=bool), np.ones((4, 1)), [0.0], "positive"),
    ],
)
def test_unusable_input_is_refused(labels, weights, C, message: str):
    with pytest.raises(InputError, match=message):
        fit_logistic(np.zeros((4, 2)), labels, weights=weights, C=C)
