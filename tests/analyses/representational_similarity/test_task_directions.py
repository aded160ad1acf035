import numpy as np
import pytest

from if_circuits.analyses.representational_similarity.task_directions import (
    DirectionProducts,
    direction_products,
)
from if_circuits.analyses.shared.labelled_tasks import LabelledTask
from if_circuits.statistics.ratio import ratio_interval

QUERIES, D = 60, 24


def halves(cosine: float, *, seed: int, signal: float = 3.0, samples: int = 8):
    """Two tasks whose directions have the given cosine, in uneven noise, on two halves of the queries."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(D, D)) / np.sqrt(D) + np.eye(D)
    first, other = np.linalg.qr(rng.normal(size=(D, 2)))[0].T
    directions = (first, cosine * first + np.sqrt(1 - cosine**2) * other)
    queries = np.repeat(np.arange(QUERIES), samples)
    features, parts = [], []
    for number, direction in enumerate(directions):
        satisfied = rng.random(len(queries)) < 0.5
        noise = rng.normal(size=(len(queries), D)) @ mixing.T
        features.append(noise + signal * np.outer(satisfied, direction) + 10.0 * number)
        rows = np.arange(len(queries)) + number * len(queries)
        parts.append(LabelledTask(f"task {number}", "family", rows, satisfied, queries))
    split = [[task.where(task.queries % 2 == half) for task in parts] for half in (0, 1)]
    return np.concatenate(features), split


def products(cosine: float, *, seed: int, n_bootstrap: int = 300, **changes: float):
    features, split = halves(cosine, seed=seed, **changes)
    return direction_products(features, split, n_queries=QUERIES, n_bootstrap=n_bootstrap, seed=0)


def squared_cosine(found: DirectionProducts) -> float:
    shared, ceiling = found.over_ceiling(np.array([True, True]))
    return shared.estimate / ceiling.estimate


@pytest.mark.parametrize("cosine", [0.0, 0.5, -0.8, 1.0])
def test_the_squared_cosine_is_recovered_whatever_the_noise(cosine: float):
    found = [squared_cosine(products(cosine, seed=seed, n_bootstrap=2)) for seed in range(12)]
    error = np.std(found) / np.sqrt(len(found))
    assert np.mean(found) == pytest.approx(cosine**2, abs=3 * error + 0.03)


def test_weak_signals_are_not_taken_for_unlike_directions():
    # Two estimates of one weak direction are far from parallel; over the ceiling they are the same direction.
    found = [products(1.0, seed=seed, signal=0.8, samples=16, n_bootstrap=2) for seed in range(20)]
    assert np.mean([each.estimate[0, 1] for each in found]) > 0
    assert np.median([squared_cosine(each) for each in found]) == pytest.approx(1.0, abs=0.3)


def test_cues_that_give_the_labels_away_do_not_hide_a_shared_direction():
    # Both tasks move one direction far, in noise; each has a small cue of its own without any.
    rng = np.random.default_rng(5)
    _, split = halves(1.0, seed=5)
    shared, *cues = np.eye(D)[:3]
    rows = np.arange(2 * QUERIES * 8)
    features = rng.normal(size=(len(rows), D)) * np.r_[3.0, 0.0, 0.0, np.ones(D - 3)]
    for half in split:
        for task, cue in zip(half, cues, strict=True):
            features[task.rows] += np.outer(task.satisfied, 3.0 * shared + 0.8 * cue)
    found = direction_products(features, split, n_queries=QUERIES, n_bootstrap=2, seed=0)
    assert squared_cosine(found) == pytest.approx((9.0 / (9.0 + 0.64)) ** 2, abs=0.06)


def test_draws_surround_the_estimate():
    found = products(0.6, seed=3)
    shared, ceiling = found.over_ceiling(np.array([True, True]))
    low, high = np.quantile(shared.draws / ceiling.draws, [0.025, 0.975])
    assert low < squared_cosine(found) < high
    assert ceiling.estimate == pytest.approx(1.0)
    assert found.n_queries == QUERIES


def test_without_a_direction_the_ceiling_reaches_zero_and_there_is_no_ratio():
    found = products(0.5, seed=4, signal=0.0)
    ratio = ratio_interval(*found.over_ceiling(np.array([True, True])), n_groups=QUERIES)
    assert np.isnan(ratio.estimate)
    assert ratio.reason
