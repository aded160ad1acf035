import numpy as np
import pytest
import torch
from concept_erasure import LeaceFitter
from hypothesis import given, settings
from hypothesis import strategies as st

from if_circuits.erasure.base import Erasure
from if_circuits.erasure.difference_in_means import DifferenceInMeans
from if_circuits.erasure.leace import Leace
from if_circuits.errors import InputError
from if_circuits.probes.linear import fit_linear_probe
from tests.probes.planted import planted


def fit(X, y, *, shrinkage: bool = True):
    return Leace(shrinkage=shrinkage).fit(X, y, groups=np.arange(len(y)), seed=0)


@pytest.mark.parametrize("shrinkage", [True, False])
@pytest.mark.parametrize(("n", "d"), [(300, 12), (40, 90)])
def test_agrees_with_the_authors_package(n: int, d: int, shrinkage: bool):
    X, y = planted(n, d)
    theirs = LeaceFitter.fit(
        torch.tensor(X),
        torch.tensor(y)[:, None].double(),
        shrinkage=shrinkage,
        constrain_cov_trace=False,
        svd_tol=1e-9,
    ).eraser
    expected = theirs(torch.tensor(X)).numpy()
    erasure = fit(X, y, shrinkage=shrinkage)
    np.testing.assert_allclose(erasure.remove(X), expected, atol=1e-9 * np.abs(X).max())
    np.testing.assert_allclose(
        np.outer(erasure.left, erasure.right), (theirs.proj_left @ theirs.proj_right).numpy(), atol=1e-8
    )


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([(80, 5), (30, 60)]), st.booleans())
def test_linear_guardedness(seed: int, shape: tuple[int, int], shrinkage: bool):
    X, y = planted(*shape, seed=seed)
    left = fit(X, y, shrinkage=shrinkage).remove(X)
    scale = np.abs(X).max()
    np.testing.assert_allclose(left[y].mean(axis=0), left[~y].mean(axis=0), atol=1e-9 * scale)
    np.testing.assert_allclose(left.mean(axis=0), X.mean(axis=0), atol=1e-9 * scale)


def test_no_linear_probe_beats_a_constant_on_the_fitting_data():
    X, y = planted(200, 6, signal=3.0)
    left = fit(X, y).remove(X)
    scores = fit_linear_probe(left, y, C=1e4).scores(left)
    loss = np.logaddexp(0, np.where(y, -scores, scores)).mean()
    constant = -(y.mean() * np.log(y.mean()) + (~y).mean() * np.log((~y).mean()))
    assert loss >= constant - 1e-9
    assert np.ptp(scores) < 1e-6


@pytest.mark.parametrize("shrinkage", [True, False])
def test_a_probe_of_another_label_loses_what_it_loses_with_the_mean_difference(shrinkage: bool):
    X, y = planted(200, 6, signal=2.0)
    unseen, other = planted(50, 6, seed=1)[0], X[:, 0] + X[:, 1] > np.median(X[:, 0] + X[:, 1])

    def refitted(erasure: Erasure) -> np.ndarray:
        design = np.column_stack([erasure.remove(X), np.ones(len(X))])
        weights = np.linalg.lstsq(design, other.astype(float), rcond=1e-10)[0]
        return erasure.remove(unseen) @ weights[:-1] + weights[-1]

    removed = DifferenceInMeans().fit(X, y, groups=np.arange(len(y)), seed=0)
    np.testing.assert_allclose(refitted(fit(X, y, shrinkage=shrinkage)), refitted(removed), atol=1e-8)


def test_the_projection_is_oblique_of_rank_one_and_idempotent():
    X, y = planted(200, 6)
    erasure = fit(X, y)
    assert erasure.right @ erasure.left == pytest.approx(1.0)
    np.testing.assert_allclose(erasure.remove(erasure.remove(X)), erasure.remove(X), atol=1e-9)
    P = np.outer(erasure.left, erasure.right)
    assert np.abs(P - P.T).max() > 0.01
    assert isinstance(erasure, Erasure)


def test_it_changes_less_than_removing_the_mean_difference_in_the_metric_it_minimises():
    X, y = planted(500, 6)
    gap = X[y].mean(axis=0) - X[~y].mean(axis=0)
    unit = gap / np.linalg.norm(gap)
    orthogonal = X - np.outer((X - X.mean(axis=0)) @ unit, unit)
    oblique = fit(X, y, shrinkage=False).remove(X)
    assert np.mean((oblique - X) ** 2) < np.mean((orthogonal - X) ** 2)


def test_linear_changes_of_coordinates_commute_with_erasure():
    X, y = planted(100, 5)
    A = np.random.default_rng(0).normal(size=(5, 5))
    np.testing.assert_allclose(
        fit(X @ A, y, shrinkage=False).remove(X @ A), fit(X, y, shrinkage=False).remove(X) @ A, atol=1e-8
    )


def test_activations_that_do_not_vary_with_the_label_stay():
    X = np.repeat(np.random.default_rng(0).normal(size=(10, 3)), 2, axis=0)
    y = np.arange(20) % 2 == 0
    np.testing.assert_allclose(fit(X, y).remove(X), X, atol=1e-12)


def test_activations_of_another_width_are_refused():
    X, y = planted(20, 3)
    with pytest.raises(InputError, match="d = 3"):
        fit(X, y).remove(X[:, :2])
