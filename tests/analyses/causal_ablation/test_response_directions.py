"""Directions along the response and the random ones beside them, on activations whose largest variance is
planted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from if_circuits.analyses.causal_ablation.response_directions import (
    MOST_MATCHED,
    ResponseDirections,
    fit_response_directions,
)
from if_circuits.analyses.validation.simulation.studies import PlantedTruth, simulate
from if_circuits.erasure.random_subspace import captured_variance
from if_circuits.interventions.subspace import Subspace
from tests.precision import rounding

TRUTH = PlantedTruth(
    mechanism="universal",
    signal=6.0,
    n_base_queries=40,
    d_model=24,
    n_layers=2,
    positions=("prompt_end", "30%", "50%", "70%", "last"),
)


@pytest.fixture(scope="module")
def universal() -> ResponseDirections:
    return fit_response_directions(simulate(TRUTH), seed=0)[0]


def bases(fit: ResponseDirections, kind: str, n: int = 5) -> np.ndarray:
    """Unit vectors of every draw at every layer."""
    draws = fit.controls(kind, tuple(fit.subspaces), start=0, n=n, seed=0)
    return np.array([[each.operation.subspace.basis[0] for each in draw] for draw in draws])


def test_a_matched_control_holds_nothing_of_the_tasks_directions(universal: ResponseDirections):
    found = bases(universal, "variance_matched")
    for task in universal.differences:
        for layer, gap in enumerate(universal.differences[task]):
            assert np.abs(found[:, layer] @ gap).max() < 1e-8 * np.linalg.norm(gap)


def test_a_matched_control_takes_as_much_variance_where_that_can_be_had():
    # Without a signal nothing singles the tasks' directions out, and much else varies as they do.
    fit = fit_response_directions(simulate(replace(TRUTH, mechanism="null")), seed=0)[0]
    for layer, background in enumerate(fit.backgrounds):
        taken = max(captured_variance(fit.subspaces[task][layer], background) for task in fit.subspaces)
        gaps = np.array([fit.differences[task][layer] for task in fit.subspaces])
        rest = background - background @ np.linalg.pinv(gaps) @ gaps
        most = np.linalg.svd(rest - rest.mean(axis=0), compute_uv=False)[0] ** 2 / len(rest)
        for draw in bases(fit, "variance_matched")[:, layer]:
            assert float((background @ draw).var()) == pytest.approx(
                min(taken, MOST_MATCHED * most), rel=0.01
            )


def test_gaussian_controls_are_random_and_each_layer_has_its_own(universal: ResponseDirections):
    found = bases(universal, "gaussian", n=40)
    direction = universal.differences["topic"][0] / np.linalg.norm(universal.differences["topic"][0])
    overlap = np.square(found[:, 0] @ direction).mean()
    assert overlap == pytest.approx(1 / 24, abs=0.03)
    assert not np.allclose(found[:, 0], found[:, 1])


def test_a_removal_sets_its_coordinate_to_the_centre(universal: ResponseDirections):
    removed = universal.removal("topic", start=1)
    assert [each.layers for each in removed] == [(1,)]
    subspace = removed[0].operation.subspace
    X = np.random.default_rng(0).normal(size=(3, 24))
    np.testing.assert_allclose(
        subspace.remove(X) @ subspace.basis[0],
        np.full(3, universal.centres[1] @ subspace.basis[0]),
        rtol=0,
        # Three products with a unit vector of 24 numbers: into the subspace, out of it, and here.
        atol=3 * rounding(24, np.abs(X).sum(axis=1).max() + np.abs(universal.centres[1]).sum()),
    )


@dataclass(frozen=True)
class Leading:
    """The first directions in which the features vary; of more rank for tasks with more satisfied rows."""

    name: str = "leading"

    def fit(self, X, y, *, groups, seed) -> Subspace:
        del groups, seed
        rank = 2 if y.mean() > 0.5 else 3
        return Subspace.orthonormalise(np.eye(X.shape[1])[:rank], mean=X.mean(axis=0), name=self.name)


def test_a_named_method_fits_what_is_removed_and_not_what_is_added():
    source = simulate(TRUTH)
    fit, usual = (fit_response_directions(source, method=method, seed=0)[0] for method in (Leading(), None))
    assert (fit.method, usual.method) == ("leading", "difference in means")
    for task in fit.subspaces:
        ranks = fit.ranks(task, start=0)
        assert len(set(ranks)) == 1
        assert ranks[0] in (2, 3)
        assert usual.ranks(task, start=0) == (1, 1)
        np.testing.assert_array_equal(fit.differences[task], usual.differences[task])
        for layer, intervention in enumerate(fit.removal(task, start=0)):
            subspace = intervention.operation.subspace
            np.testing.assert_allclose(subspace.basis, np.eye(24)[: ranks[0]], atol=1e-12)
            np.testing.assert_array_equal(subspace.mean, fit.centres[layer])


@pytest.mark.parametrize("kind", ["gaussian", "variance_matched"])
def test_controls_have_the_ranks_of_the_removals_that_share_them(kind: str):
    fit = fit_response_directions(simulate(TRUTH), method=Leading(), seed=0)[0]
    pools = fit.pools(start=0)
    assert sorted(task for pool in pools for task in pool) == sorted(fit.subspaces)
    assert len({fit.ranks(pool[0], start=0) for pool in pools}) == len(pools)
    for pool in pools:
        ranks = {fit.ranks(task, start=0) for task in pool}
        for draw in fit.controls(kind, pool, start=0, n=3, seed=0):
            assert {tuple(each.operation.subspace.rank for each in draw)} == ranks


def test_tasks_of_rank_one_share_one_pool(universal: ResponseDirections):
    assert universal.pools(start=0) == [tuple(universal.subspaces)]
