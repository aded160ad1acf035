"""The measures against slow references from the papers, and their invariances as theorems."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

from if_circuits.similarity.measures import MEASURES, Measure
from if_circuits.similarity.reduction import reduce

FULL = 99  # more components than dimensions: no reduction
SEEDS = st.integers(0, 2**32 - 1)


def measured(name: Measure, X: np.ndarray, Y: np.ndarray, *, k: int = FULL) -> float:
    """A measure of two representations whose rows belong together as they are."""
    return float(MEASURES[name](reduce(X, k=k), reduce(Y, k=k), np.arange(len(X))[None])[0])


def sample(seed: int, *, n: int = 60, d: int = 5, e: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Two representations that share part of their signal, in well-conditioned but unequal coordinates."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, 3))
    X = np.hstack([shared, rng.normal(size=(n, d - 3))]) @ well_conditioned(rng, d) + rng.normal(size=d)
    Y = np.hstack([shared + rng.normal(size=(n, 3)), rng.normal(size=(n, e - 3))]) @ well_conditioned(rng, e)
    return X, Y


def well_conditioned(rng: np.random.Generator, d: int) -> np.ndarray:
    left, right = (np.linalg.qr(rng.normal(size=(d, d)))[0] for _ in range(2))
    return left @ np.diag(rng.uniform(0.5, 2.0, size=d)) @ right


def orthogonal(rng: np.random.Generator, d: int) -> np.ndarray:
    return np.linalg.qr(rng.normal(size=(d, d)))[0]


def pwcca_of_the_paper(X: np.ndarray, Y: np.ndarray) -> float:
    """Morcos et al. 2018, sections 2 and 3.2, term by term from the covariances."""
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    inverse_x = linalg.inv(linalg.sqrtm(X.T @ X).real)
    inverse_y = linalg.inv(linalg.sqrtm(Y.T @ Y).real)
    U, correlations, _ = linalg.svd(inverse_x @ X.T @ Y @ inverse_y)
    total = weights = 0.0
    for i, correlation in enumerate(correlations):
        variate = X @ inverse_x @ U[:, i]
        weight = sum(abs(variate @ X[:, j]) for j in range(X.shape[1]))
        total += weight * correlation
        weights += weight
    return total / weights


def unbiased_hsic_of_the_paper(K: np.ndarray, L: np.ndarray) -> float:
    """Song et al. 2012, equation 5."""
    n = len(K)
    K, L, one = K - np.diag(np.diag(K)), L - np.diag(np.diag(L)), np.ones(n)
    total = np.trace(K @ L) + (one @ K @ one) * (one @ L @ one) / ((n - 1) * (n - 2))
    return (total - 2 / (n - 2) * (one @ K @ L @ one)) / (n * (n - 3))


@given(SEEDS)
@settings(max_examples=25)
def test_pwcca_equals_the_paper(seed: int) -> None:
    X, Y = sample(seed)
    assert measured("pwcca", X, Y) == pytest.approx(pwcca_of_the_paper(X, Y), abs=1e-9)
    assert measured("pwcca", Y, X) == pytest.approx(pwcca_of_the_paper(Y, X), abs=1e-9)


@given(SEEDS)
@settings(max_examples=25)
def test_cka_equals_the_kernel_formula(seed: int) -> None:
    X, Y = sample(seed, n=12)
    K, L = X @ X.T, Y @ Y.T
    expected = unbiased_hsic_of_the_paper(K, L) / np.sqrt(
        unbiased_hsic_of_the_paper(K, K) * unbiased_hsic_of_the_paper(L, L)
    )
    assert measured("cka", X, Y) == pytest.approx(expected, abs=1e-9)


@given(SEEDS)
@settings(max_examples=25)
def test_pwcca_is_invariant_to_invertible_linear_maps_of_the_second(seed: int) -> None:
    X, Y = sample(seed)
    mapped = Y @ well_conditioned(np.random.default_rng(seed + 1), 4) - 2
    # Its weights tie PWCCA to the coordinates of X, and to nothing of Y.
    assert measured("pwcca", X, mapped) == pytest.approx(measured("pwcca", X, Y), abs=1e-9)


@given(SEEDS, st.integers(1, 5))
@settings(max_examples=25)
def test_orthogonal_maps_and_isotropic_scaling_change_no_cka(seed: int, k: int) -> None:
    X, Y = sample(seed)
    rng = np.random.default_rng(seed + 1)
    mapped = measured("cka", 7 * X @ orthogonal(rng, 5) + 1, Y @ orthogonal(rng, 4) / 9, k=k)
    assert mapped == pytest.approx(measured("cka", X, Y, k=k), abs=1e-8)


def test_cka_is_not_invariant_to_other_linear_maps() -> None:
    X, Y = sample(0)
    stretched = X * np.array([100.0, 1, 1, 1, 1])
    assert abs(measured("cka", stretched, Y) - measured("cka", X, Y)) > 0.05


@pytest.mark.parametrize("name", MEASURES)
def test_a_representation_is_identical_to_itself(name: Measure) -> None:
    X, _ = sample(1)
    assert measured(name, X, X) == pytest.approx(1.0, abs=1e-9)
    assert measured(name, X, -2 * X, k=3) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("name", MEASURES)
def test_constant_activations_have_no_similarity(name: Measure) -> None:
    X, _ = sample(2)
    assert np.isnan(measured(name, X, np.ones((60, 3))))


@pytest.mark.parametrize("name", MEASURES)
def test_orders_at_once_equal_orders_one_by_one(name: Measure) -> None:
    X, Y = sample(3)
    rng = np.random.default_rng(0)
    orders = np.array([rng.permutation(60) for _ in range(4)])
    at_once = MEASURES[name](reduce(X, k=3), reduce(Y, k=3), orders)
    one_by_one = [measured(name, X, Y[order], k=3) for order in orders]
    np.testing.assert_allclose(at_once, one_by_one, atol=1e-12)
