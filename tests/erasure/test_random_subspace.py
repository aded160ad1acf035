import numpy as np
import pytest
from scipy.stats import kstest

from if_circuits.erasure.random_subspace import (
    RandomDirections,
    captured_variance,
    random_subspace,
    variance_matched_subspaces,
)
from if_circuits.errors import InputError
from if_circuits.interventions.subspace import Subspace

MATCHED = 1e-3 * (1 + 1e-9)
"""Bisection ends within a thousandth of the variance; computing that variance again rounds it in float64."""


def anisotropic(n: int = 400, d: int = 20):
    rng = np.random.default_rng(0)
    return (
        rng.normal(size=(n, d)) * np.arange(1, d + 1) ** -1.0 @ np.linalg.qr(rng.normal(size=(d, d)))[0] + 3.0
    )


def test_random_subspaces_are_uniform():
    # The share of a fixed vector in a uniform k-subspace of d dimensions is Beta(k / 2, (d - k) / 2).
    vector = np.random.default_rng(1).normal(size=12)
    vector /= np.linalg.norm(vector)
    shares = [
        np.sum((random_subspace(3, mean=np.zeros(12), seed=seed).basis @ vector) ** 2) for seed in range(400)
    ]
    assert kstest(shares, "beta", args=(1.5, 4.5)).pvalue > 0.01


def test_the_seed_decides():
    mean = np.ones(5)
    np.testing.assert_array_equal(
        random_subspace(2, mean=mean, seed=3).basis, random_subspace(2, mean=mean, seed=3).basis
    )
    assert (
        np.abs(
            random_subspace(2, mean=mean, seed=3).projector - random_subspace(2, mean=mean, seed=4).projector
        ).max()
        > 0.1
    )
    np.testing.assert_array_equal(random_subspace(2, mean=mean, seed=3).mean, mean)
    with pytest.raises(InputError, match="between 0 and 5"):
        random_subspace(6, mean=mean, seed=0)


def test_captured_variance_is_that_of_the_removed_part():
    X = anisotropic()
    subspace = random_subspace(4, mean=X.mean(axis=0), seed=0)
    assert captured_variance(subspace, X) == pytest.approx(
        X.var(axis=0).sum() - subspace.remove(X).var(axis=0).sum()
    )


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.8])
def test_matched_subspaces_capture_the_variance_and_are_otherwise_random(share: float):
    X = anisotropic()
    values = np.sort(np.linalg.eigvalsh(np.cov(X.T, bias=True)))
    variance = values[:3].sum() + share * (values[-3:].sum() - values[:3].sum())
    found = variance_matched_subspaces(X, rank=3, variance=variance, n_subspaces=8, seed=0)
    assert [captured_variance(s, X) for s in found] == pytest.approx([variance] * 8, rel=MATCHED)
    assert {s.rank for s in found} == {3}
    assert np.abs(found[0].projector - found[1].projector).max() > 0.01
    np.testing.assert_array_equal(
        found[0].basis,
        variance_matched_subspaces(X, rank=3, variance=variance, n_subspaces=1, seed=0)[0].basis,
    )


def test_a_task_subspace_can_be_matched_when_rows_are_fewer_than_features():
    X = anisotropic(n=15, d=40)
    reference = Subspace.orthonormalise(X[:2] - X[2:4], mean=X.mean(axis=0), name="task")
    variance = captured_variance(reference, X)
    for matched in variance_matched_subspaces(X, rank=2, variance=variance, n_subspaces=5, seed=1):
        assert captured_variance(matched, X) == pytest.approx(variance, rel=MATCHED)


def test_rotating_the_activations_leaves_the_match():
    X = anisotropic()
    Q = np.linalg.qr(np.random.default_rng(5).normal(size=(20, 20)))[0]
    for data in (X, X @ Q):
        found = variance_matched_subspaces(data, rank=2, variance=0.5, n_subspaces=3, seed=0)
        assert [captured_variance(s, data) for s in found] == pytest.approx([0.5] * 3, rel=MATCHED)


def test_a_variance_that_no_subspace_captures_is_refused():
    with pytest.raises(InputError, match="capture between"):
        variance_matched_subspaces(anisotropic(), rank=2, variance=100.0, n_subspaces=1, seed=0)


def test_directions_by_name_repeat_and_are_others_for_other_labels():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 6)), rng.random(40) < 0.5
    first, again, other = (
        RandomDirections().fit(X, labels, groups=np.arange(40), seed=3) for labels in (y, y, ~y)
    )
    np.testing.assert_array_equal(first.basis, again.basis)
    assert abs((first.basis @ other.basis.T).item()) < 0.999
