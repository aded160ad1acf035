"""Which problems are solved together changes the work and not the solutions."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from if_circuits.probes.logistic import fit_logistic
from if_circuits.probes.solver.batches import Matrix
from if_circuits.probes.solver.coordinates import ByRow
from tests.probes.planted import planted, reference

FOLDS = 5


@pytest.fixture
def gram_matrices(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of problems of each Gram matrix that is made."""
    made, make, share = list[int](), ByRow.of, ByRow.of_problems

    def counted(Z, *, problems, **rest):
        made.append(problems)
        return make(Z, problems=problems, **rest)

    def shared(self, inverse_scale):
        made[-1] += len(inverse_scale)
        return share(self, inverse_scale)

    monkeypatch.setattr(ByRow, "of", counted)
    monkeypatch.setattr(ByRow, "of_problems", shared)
    return made


def assert_folds_agree(X, y, C, weights=None):
    """Every fold's scores are scikit-learn's to a thousandth of the largest."""
    used = np.arange(len(y))[:, None] % FOLDS != np.arange(FOLDS)
    train = used * (1.0 if weights is None else weights[:, None])
    fits = fit_logistic(X, np.repeat(y[:, None], FOLDS, axis=1), weights=train, C=np.full(FOLDS, C))
    scores = fits.scores(X)
    assert fits.converged.all()
    for j in range(FOLDS):
        rows = np.repeat(np.arange(len(y)), train[:, j].astype(int))
        expected = reference(X[rows], y[rows], C=C).decision_function(X.astype(np.float64))
        assert np.abs(scores[:, j] - expected).max() < 1e-3 * np.abs(expected).max()
        spread = X[rows].std(axis=0, dtype=np.float64)
        np.testing.assert_allclose(fits.scale[j], np.where(spread > 0, spread, 1.0), rtol=1e-4)
        np.testing.assert_allclose(fits.mean[j], X[rows].mean(axis=0, dtype=np.float64), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("C", [1e-4, 1e-2, 1.0, 100.0])
def test_folds_of_nearly_the_same_scales_share_a_gram_matrix(C: float, gram_matrices: list[int]):
    X, y = planted(150, 400)
    X[:, 5] = 0.1
    assert_folds_agree(X.astype(np.float32), y, C)
    assert gram_matrices == [FOLDS]


def test_weighted_rows_may_share_a_gram_matrix(gram_matrices: list[int]):
    X, y = planted(150, 400)
    assert_folds_agree(X, y, 0.1, weights=np.random.default_rng(0).integers(1, 3, size=150))
    assert gram_matrices[0] == FOLDS


def test_two_calls_on_one_matrix_share_its_gram_matrix(gram_matrices: list[int]):
    X, y = planted(150, 400)
    used = np.arange(150)[:, None] % FOLDS != np.arange(FOLDS)
    labels, matrix = np.repeat(y[:, None], FOLDS, axis=1), Matrix(X)
    for C in (0.01, 1.0):
        found = fit_logistic(matrix, labels, weights=used, C=np.full(FOLDS, C))
        alone = fit_logistic(X, labels, weights=used, C=np.full(FOLDS, C))
        np.testing.assert_array_equal(found.weight, alone.weight)
    assert gram_matrices == [FOLDS, 2 * FOLDS, FOLDS]


def test_folds_share_a_gram_matrix_where_their_rows_and_not_all_are_fewer_than_features(
    gram_matrices: list[int],
):
    X, y = planted(420, 400)
    assert_folds_agree(X, y, 0.01)
    assert gram_matrices == [FOLDS]


def test_a_fold_of_other_scales_has_a_gram_matrix_of_its_own(gram_matrices: list[int]):
    X, y = planted(150, 400)
    X[3, 4] += 1e3
    X[:, 6] = np.where(np.arange(150) % FOLDS == 1, 5.0, 0.1)
    assert_folds_agree(X.astype(np.float32), y, 0.1)
    assert sorted(gram_matrices) == [1, 1, FOLDS - 2]


def test_activations_of_size_ten_thousand_may_share_a_gram_matrix(gram_matrices: list[int]):
    X, y = planted(150, 400)
    assert_folds_agree((1e4 + 1e4 * X / X.std(axis=0)).astype(np.float32), y, 0.1)
    assert gram_matrices == [FOLDS]


def test_a_fold_without_one_class_spoils_no_other(gram_matrices: list[int]):
    X, _ = planted(150, 400)
    fold = np.arange(150) % FOLDS
    y = (fold == 0) & (np.arange(150) < 120)
    labels = np.repeat(y[:, None], FOLDS, axis=1)
    fits = fit_logistic(X, labels, weights=fold[:, None] != np.arange(FOLDS), C=np.full(FOLDS, 0.1))
    assert "one class" in fits.reasons[0]
    assert gram_matrices == [FOLDS - 1]
    for j in range(1, FOLDS):
        expected = reference(X[fold != j], y[fold != j], C=0.1).decision_function(X)
        assert np.abs(fits.scores(X)[:, j] - expected).max() < 1e-3 * np.abs(expected).max()


def test_separated_folds_without_a_penalty_are_said_to_have_no_optimum(gram_matrices: list[int]):
    X, y = planted(150, 400)
    used = np.arange(150)[:, None] % FOLDS != np.arange(FOLDS)
    fits = fit_logistic(X, np.repeat(y[:, None], FOLDS, axis=1), weights=used, C=np.full(FOLDS, np.inf))
    assert gram_matrices[0] == FOLDS
    assert not fits.converged.any()
    assert all("no finite optimum" in reason for reason in fits.reasons)


def test_what_a_shared_gram_matrix_does_not_solve_is_solved_alone(
    gram_matrices: list[int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("if_circuits.probes.solver.batches.SHARED_ITERATIONS", 1)
    X, y = planted(150, 400)
    assert_folds_agree(X, y, 1.0)
    assert gram_matrices == [FOLDS, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("C", [1e-2, 1.0])
def test_folds_of_rows_that_nearly_coincide_and_are_labelled_apart(C: float):
    X, y = planted(75, 400)
    apart = 1e-4 * np.random.default_rng(2).normal(size=X.shape)
    order = np.arange(150).reshape(2, 75).T.ravel()
    assert_folds_agree(np.vstack([X, X + apart])[order], np.concatenate([y, ~y])[order], C)


def test_without_standardising_more_features_than_rows_share_one_gram_matrix():
    X, y = planted(60, 400)
    weights = np.arange(60)[:, None] % 3 != np.arange(3)
    labels, C = np.repeat(y[:, None], 3, axis=1), [0.01, 0.01, 1.0]
    fits = fit_logistic(X, labels, weights=weights, C=C, standardise=False)
    for j, used in enumerate(weights.T):
        model = LogisticRegression(C=C[j], tol=1e-10, max_iter=10_000).fit(X[used], y[used])
        expected = model.decision_function(X)
        np.testing.assert_allclose(fits.scores(X)[:, j], expected, atol=1e-3 * np.abs(expected).max())
        np.testing.assert_allclose(fits.mean[j], X[used].mean(axis=0), atol=1e-5)


def test_many_problems_are_solved_in_several_batches_alike(monkeypatch: pytest.MonkeyPatch):
    X, y = planted(100, 8)
    labels = np.stack([np.roll(y, shift) for shift in range(9)], axis=1)
    weights, C = np.ones_like(labels), np.full(9, 0.3)
    at_once = fit_logistic(X, labels, weights=weights, C=C)
    monkeypatch.setattr("if_circuits.probes.solver.batches.BLOCK_ELEMENTS", 250)
    in_parts = fit_logistic(X, labels, weights=weights, C=C)
    np.testing.assert_allclose(in_parts.weight, at_once.weight, rtol=1e-3, atol=1e-6)
