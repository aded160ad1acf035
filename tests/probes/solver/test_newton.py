import numpy as np
import pytest
from scipy.special import expit

from if_circuits.probes.logistic import fit_logistic
from if_circuits.probes.solver.spectrum import Spectrum
from tests.probes.planted import planted, reference, solve, space_of


def test_the_preconditioner_changes_the_work_and_not_the_answer():
    X, y = planted(150, 20)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    wrong = Spectrum.of(np.random.default_rng(1).normal(size=Z.shape))
    a, b = solve(space_of(Z), y), solve(space_of(Z, wrong), y)
    assert a.converged[0]
    assert b.converged[0]
    np.testing.assert_allclose(a.x, b.x, rtol=1e-6, atol=1e-8)


def test_newton_steps_that_overshoot_are_shortened(monkeypatch: pytest.MonkeyPatch):
    # Few rows with outliers, most of one class: some full steps raise the objective.
    rng = np.random.default_rng(1)
    stuck = 0
    for _ in range(200):
        Z = 3.0 * rng.standard_t(1.2, size=(8, 2))
        Z, y = Z - Z.mean(axis=0), np.arange(8) < 2
        found = solve(space_of(Z), y, penalty=1e-3)
        p = expit(Z @ found.x[0] + found.b[0])
        assert found.converged[0]
        np.testing.assert_allclose(Z.T @ (p - y) + 1e-3 * found.x[0], 0.0, atol=1e-5)
        with monkeypatch.context() as patch, np.errstate(all="ignore"):
            patch.setattr("if_circuits.probes.solver.newton.HALVINGS", 0)
            stuck += not solve(space_of(Z), y, penalty=1e-3).converged[0]
    assert stuck > 0


def test_convergence_is_quadratic_on_features_that_are_far_from_centred_in_the_training_rows():
    X, y = planted(300, 20, signal=3.0)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    assert solve(space_of(Z + 5.0, Spectrum.of(Z)), y).iterations[0] <= 10


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", [2, 5, 8, 26, 28])
def test_rows_that_repeat_a_few_are_fitted_as_well_as_by_scikit_learn(seed: int):
    # As at `embed`, where a position holds one of a few tokens. Labels differ among equal rows, so that in
    # the space of the weights the gradient ends in rounding.
    rng = np.random.default_rng(seed)
    n, d, k = int(rng.integers(60, 140)), int(rng.integers(150, 600)), int(rng.integers(2, 5))
    X = rng.standard_normal((k, d))[rng.integers(0, k, n)].astype(np.float32)
    y = rng.random(n) < 0.5
    y[:2] = [False, True]
    for C in (0.1, 1.0, 100.0):
        fits = fit_logistic(X, y[:, None], weights=np.ones((n, 1)), C=[C])
        assert fits.reasons == ("",)
        np.testing.assert_allclose(fits.scores(X)[:, 0], reference(X, y, C=C).decision_function(X), atol=1e-3)
