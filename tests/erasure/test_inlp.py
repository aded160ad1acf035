import numpy as np
import pytest

from if_circuits.erasure.base import Erasure
from if_circuits.erasure.inlp import Inlp
from if_circuits.errors import InputError
from if_circuits.probes.evaluate import out_of_fold

INLP = Inlp(n_bootstrap=100, Cs=(1e-2, 1e-1))


SCALES = np.array([3.0, 1.0, 0.5, 1.0, 2.0, 1.0, 1.0, 1.0, 0.3, 1.0])


def planted_gap(n: int, *, seed: int = 0):
    """Two Gaussian classes apart in five of ten directions of unequal variance, rotated; groups of three."""
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.4
    X = rng.normal(size=(n, 10)) * SCALES
    X[y, :5] += 1.0
    rotation = np.linalg.qr(np.random.default_rng(99).normal(size=(10, 10)))[0]
    return (X + 2.0) @ rotation, y, np.arange(n) // 3


@pytest.fixture(scope="module")
def fitted():
    X, y, groups = planted_gap(600)
    return X, y, groups, INLP.fit(X, y, groups=groups, seed=0)


def test_the_projector_is_orthogonal_and_the_mean_stays(fitted):
    X, *_, subspace = fitted
    P = subspace.projector
    np.testing.assert_allclose(P, P.T, atol=1e-14)
    np.testing.assert_allclose(P @ P, P, atol=1e-13)
    np.testing.assert_allclose(subspace.remove(X).mean(axis=0), X.mean(axis=0), atol=1e-12)
    assert isinstance(subspace, Erasure)


def test_decoding_of_rows_that_fitted_nothing_is_near_half_afterwards(fitted):
    *_, subspace = fitted
    X, y, groups = planted_gap(900, seed=1)
    assert out_of_fold(X, y, groups, n_folds=5, seed=1).auroc > 0.9
    assert out_of_fold(subspace.remove(X), y, groups, n_folds=5, seed=1).auroc < 0.58


def test_the_search_is_kept(fitted):
    subspace = fitted[-1]
    assert subspace.rank == subspace.iterations == len(subspace.held_out) - 1
    assert subspace.rank > 1
    assert subspace.stopped == "chance"
    assert subspace.held_out[0] > 0.9
    assert (subspace.low <= subspace.held_out).all()
    assert (subspace.held_out <= subspace.high).all()
    before, last = subspace.held_out[:-1], -1
    assert subspace.held_out[last] < 0.52 or subspace.low[last] <= 0.5
    assert (before[1:] >= 0.52).all()
    assert subspace.C in INLP.Cs


def test_no_probe_of_the_fitting_rows_reads_along_a_removed_direction(fitted):
    X, *_, subspace = fitted
    left = subspace.remove(X)
    np.testing.assert_allclose((left - X.mean(axis=0)) @ subspace.basis.T, 0.0, atol=1e-12)


def test_a_label_without_a_direction_is_at_chance_from_the_start():
    rng = np.random.default_rng(1)
    subspace = INLP.fit(rng.normal(size=(300, 10)), rng.random(300) < 0.5, groups=np.arange(300) // 3, seed=0)
    assert subspace.low[0] < 0.55
    assert subspace.rank <= 3
    assert subspace.stopped == "chance"


def test_the_curve_is_that_of_unseen_labels_even_with_more_features_than_rows():
    # Projections that had seen the held-out labels would drive the curve below chance.
    rng = np.random.default_rng(0)
    curves = []
    for seed in range(10):
        X, y = rng.normal(size=(60, 100)), rng.random(60) < 0.5
        keep_going = Inlp(max_rank=2, near_chance=-1.0, n_bootstrap=20, Cs=(0.1,))
        curves.append(keep_going.fit(X, y, groups=np.arange(60), seed=seed).held_out[1])
    assert abs(np.mean(curves) - 0.5) < 3 * np.std(curves) / np.sqrt(len(curves)) + 1e-9


def test_the_rank_limit_is_kept_and_said():
    X, y, groups = planted_gap(600)
    subspace = Inlp(max_rank=1, n_bootstrap=50, Cs=(0.1,)).fit(X, y, groups=groups, seed=0)
    assert (subspace.rank, subspace.stopped) == (1, "rank limit")


def test_it_ends_when_nothing_is_left():
    rng = np.random.default_rng(0)
    y = rng.random(90) < 0.5
    X = np.outer(np.where(y, 1.0, -1.0) + 0.1 * rng.normal(size=90), [1.0, 2.0, 2.0])
    subspace = Inlp(n_bootstrap=20, Cs=(1.0,)).fit(X, y, groups=np.arange(90), seed=0)
    assert subspace.rank == 1
    np.testing.assert_allclose(np.abs(subspace.basis[0]), [1 / 3, 2 / 3, 2 / 3], atol=1e-6)


def test_the_same_seed_gives_the_same_subspace():
    X, y, groups = planted_gap(300)
    first, again = (INLP.fit(X, y, groups=groups, seed=0) for _ in range(2))
    np.testing.assert_array_equal(first.basis, again.basis)


def test_shifts_rotations_and_units_of_the_activations_do_not_matter():
    X, y, groups = planted_gap(300)
    Q = np.linalg.qr(np.random.default_rng(5).normal(size=(10, 10)))[0]

    def search(activations, C: float = 0.1):
        method = Inlp(max_rank=2, near_chance=-1.0, n_bootstrap=20, Cs=(C,))
        return method.fit(activations, y, groups=groups, seed=0).projector

    first = search(X)
    np.testing.assert_allclose(search(X + 50.0), first, atol=1e-3)
    np.testing.assert_allclose(search(1000.0 * X), first, atol=1e-3)
    # C counts in units of the features' median deviation, which a rotation changes.
    same = 0.1 * (np.median((X @ Q).std(axis=0)) / np.median(X.std(axis=0))) ** 2
    np.testing.assert_allclose(Q @ search(X @ Q, same) @ Q.T, first, atol=1e-3)


def test_too_few_groups_are_refused():
    X, y, _ = planted_gap(60)
    with pytest.raises(InputError, match="5 folds"):
        INLP.fit(X, y, groups=np.arange(60) // 20, seed=0)
