import numpy as np
import pytest
from scipy.stats import norm
from sklearn.covariance import LedoitWolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from if_circuits.errors import InputError
from if_circuits.probes.lda import fit_lda
from tests.probes.planted import planted


@pytest.mark.parametrize(("n", "d"), [(120, 8), (60, 60), (40, 90), (50, 1)])
def test_agrees_with_scikit_learn_under_one_shrinkage_for_both_classes(n: int, d: int):
    X, y = planted(n, d)
    X = X @ (np.eye(d) + 0.5 * np.exp(-np.arange(d)))  # correlated, or all of it would be shrunk away
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    residual = Z - np.where(y[:, None], Z[y].mean(axis=0), Z[~y].mean(axis=0))
    shrinkage = LedoitWolf(assume_centered=True).fit(residual).shrinkage_
    assert d == 1 or 0.01 < shrinkage < 1
    expected = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(Z, y).decision_function(Z)
    # Of order 1, by a solution under a covariance whose condition is below 1e3.
    np.testing.assert_allclose(fit_lda(X, y).scores(X), expected, atol=1e-10)


def test_rows_along_one_line_are_not_divided_by_the_rounding_beside_it():
    along, apart = np.random.default_rng(0).normal(size=(2, 7))
    X, y = np.stack([along, -along, apart + along, apart - along]), np.array([False, False, True, True])
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    expected = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.0).fit(Z, y).decision_function(Z)
    np.testing.assert_allclose(fit_lda(X, y).scores(X), expected, atol=1e-9)


def test_scores_are_the_log_odds_of_the_planted_gaussians():
    rng = np.random.default_rng(0)
    y = rng.random(40_000) < 0.3
    X = rng.normal(size=(40_000, 3)) * [1.0, 10.0, 0.1]
    X[:, 0] += 2.0 * y
    truth = norm.logpdf(X[:, 0], 2.0) - norm.logpdf(X[:, 0]) + np.log(0.3 / 0.7)
    # Means, variance and share are estimated to about 1 in 100: 1 / sqrt(12 000 rows of the rarer class).
    np.testing.assert_allclose(fit_lda(X, y).scores(X), truth, atol=0.05 * np.abs(truth).max())


def test_fewer_rows_than_features_are_no_obstacle():
    X, _ = planted(8, 10, signal=3.0)
    assert np.isfinite(fit_lda(X, np.arange(8) < 4).scores(X)).all()


def test_constant_features_are_ignored():
    X, y = planted(60, 4)
    wider = np.column_stack([X, np.full(60, 0.1)])
    np.testing.assert_allclose(fit_lda(wider, y).scores(wider), fit_lda(X, y).scores(X))


def test_what_cannot_be_fitted_is_refused():
    X, _ = planted(6, 20)
    with pytest.raises(InputError, match="both classes"):
        fit_lda(X, np.zeros(6, dtype=bool))
    with pytest.raises(InputError, match="no feature varies over"):
        fit_lda(np.ones((6, 2)), np.arange(6) < 3)
    with pytest.raises(InputError, match="no feature varies within a class"):
        fit_lda(np.repeat([[0.1, 0.3], [0.7, 0.3]], 3, axis=0), np.arange(6) < 3)
