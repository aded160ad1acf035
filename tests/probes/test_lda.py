import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from if_circuits.errors import InputError
from if_circuits.probes.lda import fit_lda
from tests.probes.planted import planted


@pytest.mark.parametrize("shrinkage", [0.0, 0.2, 1.0])
def test_agrees_with_scikit_learn_on_standardised_features(shrinkage: float):
    X, y = planted(120, 8)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    expected = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(Z, y).decision_function(Z)
    np.testing.assert_allclose(fit_lda(X, y, shrinkage=shrinkage).scores(X), expected, atol=1e-8)


def test_the_estimated_shrinkage_grows_as_rows_become_few():
    X, y = planted(4000, 10, signal=3.0)
    full = fit_lda(X, y).scores(X)
    np.testing.assert_allclose(full, fit_lda(X, y, shrinkage=0.0).scores(X), atol=0.2 * np.abs(full).max())
    few = fit_lda(X[:8], y[:8])
    assert np.isfinite(few.scores(X)).all()


def test_constant_features_are_ignored():
    X, y = planted(60, 4)
    wider = np.column_stack([X, np.full(60, 0.1)])
    np.testing.assert_allclose(
        fit_lda(wider, y, shrinkage=0.1).scores(wider), fit_lda(X, y, shrinkage=0.1).scores(X)
    )


def test_what_cannot_be_fitted_is_refused():
    X, y = planted(6, 20)
    with pytest.raises(InputError, match="singular"):
        fit_lda(X, np.arange(6) < 3, shrinkage=0.0)
    with pytest.raises(InputError, match="both classes"):
        fit_lda(X, np.zeros(6, dtype=bool))
