import numpy as np
import pytest
from scipy.optimize import minimize

from if_circuits.analyses.shared.discriminant import fit_discriminant
from tests.precision import assert_within, product


def two_classes(seed: int, *, n: int = 80, d: int = 6) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.5
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 5.0
    X[y] += rng.normal(size=d)
    return X, y, rng


@pytest.mark.parametrize("rank", [1, 3])
def test_refitted_weights_solve_the_same_problem_without_the_subspace(rank: int):
    X, y, rng = two_classes(0)
    probe = fit_discriminant(X, y)
    basis = np.linalg.qr(rng.normal(size=(6, rank)))[0].T
    complement = np.linalg.svd(basis)[2][rank:]
    covariance, difference = np.linalg.inv(probe.precision), X[y].mean(axis=0) - X[~y].mean(axis=0)

    def loss(inside: np.ndarray) -> float:
        w = inside @ complement
        return w @ covariance @ w / 2 - w @ difference

    expected = minimize(loss, np.zeros(6 - rank), tol=1e-14).x @ complement
    found = probe.refitted(basis[None])[0]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(basis @ found, 0, atol=1e-9 * np.linalg.norm(found))


def test_blinded_weights_score_as_the_probe_does_on_ablated_activations():
    X, y, rng = two_classes(1)
    probe = fit_discriminant(X, y)
    basis = np.linalg.qr(rng.normal(size=(6, 2)))[0].T
    centre = X.mean(axis=0)
    ablated = X - (X - centre) @ basis.T @ basis
    difference = ablated @ probe.weight - X @ probe.blinded(basis[None])[0]
    # Sums of six products of activations and weights, three times over.
    bound = 3 * product(np.abs(X) + np.abs(centre), probe.weight).max()
    assert_within(difference, difference[0], 2 * bound)


def test_nothing_is_left_when_the_only_direction_is_removed():
    X, y, _ = two_classes(2)
    probe = fit_discriminant(X, y)
    assert (probe.refitted(np.eye(6)[None]) == 0).all()
    own = probe.weight / np.linalg.norm(probe.weight)
    assert (probe.blinded(own[None, None]) == 0).all()


def test_removing_no_direction_changes_nothing():
    X, y, _ = two_classes(3)
    probe = fit_discriminant(X, y)
    np.testing.assert_array_equal(probe.refitted(np.zeros((2, 0, 6))), [probe.weight, probe.weight])


def test_more_dimensions_than_rows_and_constant_columns_are_no_obstacle():
    X, y, _ = two_classes(4, n=30, d=60)
    X[:, 3] = 7.0
    probe = fit_discriminant(X, y)
    assert np.isfinite(probe.weight).all()
    assert probe.weight[3] == 0


def test_rounding_errors_of_equal_rows_decode_nothing():
    X, y, rng = two_classes(5)
    X = 3.0 + 1e-8 * rng.normal(size=X.shape) + np.where(y, 1e-8, 0.0)[:, None]
    assert (fit_discriminant(X, y).weight == 0).all()
