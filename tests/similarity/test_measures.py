"""The measures against slow references from the papers, and their invariances as theorems."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg
from sklearn.cross_decomposition import CCA

from if_circuits.similarity.measures import MEASURES, linear_cka, pwcca, svcca
from if_circuits.similarity.reduction import reduce

FULL = 99  # more components than dimensions: no reduction
SEEDS = st.integers(0, 2**32 - 1)


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
    assert pwcca(X, Y, k=FULL) == pytest.approx(pwcca_of_the_paper(X, Y), abs=1e-9)
    assert pwcca(Y, X, k=FULL) == pytest.approx(pwcca_of_the_paper(Y, X), abs=1e-9)


def test_svcca_equals_scikit_learn() -> None:
    X, Y = sample(0)
    u, v = CCA(n_components=4, max_iter=10_000, tol=1e-14).fit_transform(X, Y)
    expected = np.mean([np.corrcoef(u[:, i], v[:, i])[0, 1] for i in range(4)])
    assert svcca(X, Y, k=FULL) == pytest.approx(expected, abs=1e-6)


@given(SEEDS)
@settings(max_examples=25)
def test_cka_equals_the_kernel_formula(seed: int) -> None:
    X, Y = sample(seed, n=12)
    K, L = X @ X.T, Y @ Y.T
    expected = unbiased_hsic_of_the_paper(K, L) / np.sqrt(
        unbiased_hsic_of_the_paper(K, K) * unbiased_hsic_of_the_paper(L, L)
    )
    assert linear_cka(X, Y, k=FULL) == pytest.approx(expected, abs=1e-9)


@given(SEEDS)
@settings(max_examples=25)
def test_cca_is_invariant_to_invertible_linear_maps(seed: int) -> None:
    X, Y = sample(seed)
    rng = np.random.default_rng(seed + 1)
    mapped_x, mapped_y = X @ well_conditioned(rng, 5) + 3, Y @ well_conditioned(rng, 4) - 2
    assert svcca(mapped_x, mapped_y, k=FULL) == pytest.approx(svcca(X, Y, k=FULL), abs=1e-9)
    # Its weights tie PWCCA to the coordinates of X, and to nothing of Y.
    assert pwcca(X, mapped_y, k=FULL) == pytest.approx(pwcca(X, Y, k=FULL), abs=1e-9)


@given(SEEDS, st.sampled_from(["svcca", "cka"]), st.integers(1, 5))
@settings(max_examples=25)
def test_orthogonal_maps_and_isotropic_scaling_change_nothing(seed: int, name: str, k: int) -> None:
    measure = {"svcca": svcca, "cka": linear_cka}[name]
    X, Y = sample(seed)
    rng = np.random.default_rng(seed + 1)
    mapped = measure(7 * X @ orthogonal(rng, 5) + 1, Y @ orthogonal(rng, 4) / 9, k=k)
    assert mapped == pytest.approx(measure(X, Y, k=k), abs=1e-8)


def test_cka_is_not_invariant_to_other_linear_maps() -> None:
    X, Y = sample(0)
    stretched = X * np.array([100.0, 1, 1, 1, 1])
    assert abs(linear_cka(stretched, Y, k=FULL) - linear_cka(X, Y, k=FULL)) > 0.05


@pytest.mark.parametrize("measure", [svcca, pwcca, linear_cka])
def test_a_representation_is_identical_to_itself(measure) -> None:
    X, _ = sample(1)
    assert measure(X, X, k=FULL) == pytest.approx(1.0, abs=1e-9)
    assert measure(X, -2 * X, k=3) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("measure", [svcca, pwcca, linear_cka])
def test_constant_activations_have_no_similarity(measure) -> None:
    X, _ = sample(2)
    assert np.isnan(measure(X, np.ones((60, 3)), k=FULL))


@pytest.mark.parametrize("name", MEASURES)
def test_orders_at_once_equal_orders_one_by_one(name: str) -> None:
    X, Y = sample(3)
    rng = np.random.default_rng(0)
    orders = np.array([rng.permutation(60) for _ in range(4)])
    at_once = MEASURES[name](reduce(X, k=3), reduce(Y, k=3), orders)
    direct = {"svcca": svcca, "pwcca": pwcca, "cka": linear_cka}[name]
    np.testing.assert_allclose(at_once, [direct(X, Y[order], k=3) for order in orders], atol=1e-12)


def test_rows_must_belong_together() -> None:
    with pytest.raises(ValueError, match="got 5 and 6"):
        pwcca(np.zeros((5, 2)), np.zeros((6, 2)), k=1)
