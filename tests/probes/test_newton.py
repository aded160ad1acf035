from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from if_circuits.probes.coordinates import ByFeature, ByRow, Spectrum
from if_circuits.probes.newton import minimise
from tests.probes.planted import planted


def test_the_spectrum_of_a_small_matrix_is_complete():
    Z = np.random.default_rng(0).normal(size=(40, 12))
    spectrum = Spectrum.of(Z)
    np.testing.assert_allclose((spectrum.vectors.T * spectrum.values) @ spectrum.vectors, Z.T @ Z, atol=1e-10)
    assert spectrum.rest == 0.0


def test_the_spectrum_of_a_large_matrix_leads_with_its_largest_directions():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(500, 400)) * np.where(np.arange(400) < 5, 30.0, 1.0)
    spectrum = Spectrum.of(Z)
    exact = np.linalg.eigvalsh(Z.T @ Z)
    np.testing.assert_allclose(spectrum.values[-5:], exact[-5:], rtol=1e-6)
    np.testing.assert_allclose(
        spectrum.vectors @ spectrum.vectors.T, np.eye(len(spectrum.values)), atol=1e-10
    )
    assert spectrum.rest * (400 - len(spectrum.values)) + spectrum.values.sum() == pytest.approx(exact.sum())


def space_of(Z, spectrum=None, removed=None):
    space = ByFeature.of(Z, np.ones((1, Z.shape[1])))
    return replace(
        space,
        spectrum=space.spectrum if spectrum is None else spectrum,
        removed=space.removed if removed is None else removed,
    )


def solve(space, y, penalty=0.1):
    return minimise(
        space,
        np.where(y, 1.0, -1.0)[None],
        np.ones((1, len(y))),
        penalty=np.array([penalty]),
        tolerance=1e-8,
        max_iterations=100,
    )


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
            patch.setattr("if_circuits.probes.newton.HALVINGS", 0)
            stuck += not solve(space_of(Z), y, penalty=1e-3).converged[0]
    assert stuck > 0


def test_convergence_is_quadratic_on_features_that_are_far_from_centred_in_the_training_rows():
    X, y = planted(300, 20, signal=3.0)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    assert solve(space_of(Z + 5.0, Spectrum.of(Z)), y).iterations[0] <= 10


def test_removed_directions_are_as_if_projected_out_of_the_features():
    X, y = planted(150, 20)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    removed = np.linalg.qr(np.random.default_rng(0).normal(size=(20, 3)))[0].T
    kept_away = solve(space_of(Z, removed=removed[None]), y)
    projected = solve(space_of(Z - Z @ removed.T @ removed), y)
    assert kept_away.converged[0]
    np.testing.assert_allclose(kept_away.x, projected.x, atol=1e-7)
    np.testing.assert_allclose(kept_away.x @ removed.T, 0.0, atol=1e-12)


def test_coordinates_by_row_find_what_those_by_feature_find():
    X, y = planted(60, 150)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    rows = ByRow.of(Z, problems=1)
    a, b = solve(space_of(Z), y), solve(rows, y)
    assert b.converged[0]
    np.testing.assert_allclose(rows.weights(b.x), a.x, atol=1e-7)
    np.testing.assert_allclose(b.b, a.b, atol=1e-7)
    first, second = rows.remove(b.x), space_of(Z, removed=(a.x / np.linalg.norm(a.x))[None])
    a, b = solve(second, y), solve(first, y)
    np.testing.assert_allclose(rows.weights(b.x), a.x, atol=1e-7)
    np.testing.assert_allclose(rows.weights(b.x) @ second.removed[0].T, 0.0, atol=1e-7)
