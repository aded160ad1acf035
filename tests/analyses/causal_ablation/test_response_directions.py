"""Directions along the response and the random ones beside them, on activations whose largest variance is
planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from if_circuits.analyses.causal_ablation.response_directions import (
    MOST_MATCHED,
    ResponseDirections,
    fit_response_directions,
)
from if_circuits.analyses.validation.simulation.studies import PlantedTruth, simulate
from if_circuits.erasure.random_subspace import captured_variance

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
    draws = fit.controls(kind, start=0, n=n, seed=0)
    return np.array([[each.operation.subspace.basis[0] for each in draw] for draw in draws])


def test_a_matched_control_holds_nothing_of_the_tasks_directions(universal: ResponseDirections):
    found = bases(universal, "variance_matched")
    for task in universal.gaps:
        for layer, gap in enumerate(universal.gaps[task]):
            assert np.abs(found[:, layer] @ gap).max() < 1e-8 * np.linalg.norm(gap)


def test_a_matched_control_takes_as_much_variance_where_that_can_be_had():
    # Without a signal nothing singles the tasks' directions out, and much else varies as they do.
    fit = fit_response_directions(simulate(replace(TRUTH, mechanism="null")), seed=0)[0]
    for layer, background in enumerate(fit.backgrounds):
        taken = max(captured_variance(fit._direction(task, layer), background) for task in fit.gaps)
        gaps = np.array([fit.gaps[task][layer] for task in fit.gaps])
        rest = background - background @ np.linalg.pinv(gaps) @ gaps
        most = np.linalg.svd(rest - rest.mean(axis=0), compute_uv=False)[0] ** 2 / len(rest)
        for draw in bases(fit, "variance_matched")[:, layer]:
            assert float((background @ draw).var()) == pytest.approx(
                min(taken, MOST_MATCHED * most), rel=0.01
            )


def test_gaussian_controls_are_random_and_each_layer_has_its_own(universal: ResponseDirections):
    found = bases(universal, "gaussian", n=40)
    direction = universal.gaps["topic"][0] / np.linalg.norm(universal.gaps["topic"][0])
    overlap = np.square(found[:, 0] @ direction).mean()
    assert overlap == pytest.approx(1 / 24, abs=0.03)
    assert not np.allclose(found[:, 0], found[:, 1])


def test_a_removal_sets_its_coordinate_to_the_centre(universal: ResponseDirections):
    removed = universal.removal("topic", start=1)
    assert [each.layers for each in removed] == [(1,)]
    subspace = removed[0].operation.subspace
    X = np.random.default_rng(0).normal(size=(3, 24))
    np.testing.assert_allclose(
        subspace.remove(X) @ subspace.basis[0], np.full(3, universal.centres[1] @ subspace.basis[0])
    )


def test_without_any_direction_of_a_task_controls_are_random_ones(universal: ResponseDirections):
    found = bases(replace(universal, gaps={}), "variance_matched")
    assert found.shape == (5, 2, 24)
    assert np.allclose(np.linalg.norm(found, axis=2), 1.0)
