"""The cluster bootstrap: coverage, the role of groups, degenerate resamples, speed."""

import numpy as np
import pytest

from if_circuits.statistics.auroc import resampled_auroc
from if_circuits.statistics.bootstrap import bootstrap_draws, cluster_bootstrap, interval_of, weighted_mean


def test_covers_the_true_mean_of_clustered_rows_at_its_nominal_rate() -> None:
    rng, runs, n_groups, per_group = np.random.default_rng(0), 400, 40, 5
    groups = np.repeat(np.arange(n_groups), per_group)
    covered = 0
    for run in range(runs):
        values = rng.normal(size=n_groups)[groups] + rng.normal(size=len(groups))
        interval = cluster_bootstrap(
            groups, lambda w, v=values: weighted_mean(v, w), n_resamples=500, seed=run
        )
        covered += interval.low <= 0 <= interval.high
    # Five binomial standard errors below the nominal rate would be 0.895; resampling rows covers about 0.72.
    assert 0.90 <= covered / runs <= 0.99


def test_rows_of_one_group_are_drawn_together() -> None:
    groups = np.array(["a", "a", "b", "c", "c", "c"])
    weights = bootstrap_draws(groups, lambda w: w, n_resamples=200, seed=1)
    assert (weights[:, 0] == weights[:, 1]).all() and (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 2, 3]].sum(axis=1) == 3).all()
    assert len(np.unique(weights, axis=0)) == 10  # multisets of 3 out of 3


def test_the_interval_of_a_mean_agrees_with_its_standard_error() -> None:
    values = np.random.default_rng(2).normal(size=400)
    interval = cluster_bootstrap(np.arange(400), lambda w: weighted_mean(values, w), n_resamples=4000, seed=0)
    assert interval.estimate == pytest.approx(values.mean())
    expected = 2 * 1.96 * values.std() / np.sqrt(400)
    assert interval.high - interval.low == pytest.approx(expected, rel=0.08)
    assert interval.bounds == (interval.low, interval.high)


def test_degenerate_resamples_are_counted_and_void_the_interval_when_they_are_many() -> None:
    scores = np.arange(20.0)
    groups = np.arange(20)
    rare = groups == 19  # the only positive row: drawn in 64 % of resamples
    interval = cluster_bootstrap(
        groups, lambda w: resampled_auroc(rare, scores, weights=w), n_resamples=1000, seed=0
    )
    assert interval.estimate == 1.0
    assert 300 < interval.n_degenerate < 420
    assert np.isnan(interval.low) and np.isnan(interval.high)

    few = groups >= 14  # six positives: now and then a resample has none
    interval = cluster_bootstrap(
        groups, lambda w: resampled_auroc(few, scores, weights=w), n_resamples=4000, seed=0
    )
    assert 0 < interval.n_degenerate < 40
    assert interval.bounds == (1.0, 1.0)


def test_one_group_gives_no_interval() -> None:
    interval = cluster_bootstrap(
        np.zeros(5), lambda w: weighted_mean(np.arange(5.0), w), n_resamples=10, seed=0
    )
    assert interval.estimate == 2.0 and np.isnan(interval.low) and interval.n_groups == 1


def test_same_seed_same_draws_and_statistics_pair_up() -> None:
    groups, values = np.arange(30) % 7, np.random.default_rng(3).normal(size=30)
    once = bootstrap_draws(groups, lambda w: weighted_mean(values, w), n_resamples=50, seed=4)
    shifted = bootstrap_draws(groups, lambda w: weighted_mean(values + 1, w), n_resamples=50, seed=4)
    np.testing.assert_allclose(shifted - once, 1.0)


def test_many_rows_are_drawn_in_pieces_with_the_same_result() -> None:
    rng = np.random.default_rng(5)
    groups, values = np.repeat(np.arange(50), 100), rng.normal(size=5000)
    sizes: list[int] = []

    def statistic(weights: np.ndarray) -> np.ndarray:
        sizes.append(weights.size)
        return weighted_mean(values, weights)

    draws = bootstrap_draws(groups, statistic, n_resamples=1000, seed=0)
    counts = np.random.default_rng(0).multinomial(50, np.full(50, 1 / 50), size=1000)
    np.testing.assert_allclose(draws, counts @ values.reshape(50, 100).sum(axis=1) / 5000)
    assert len(sizes) > 1 and max(sizes) <= 2_000_000


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        cluster_bootstrap(np.array([]), lambda w: w.sum(axis=1), seed=0)
    with pytest.raises(ValueError, match="use bootstrap_draws"):
        cluster_bootstrap(np.arange(3), lambda w: w, seed=0)
    with pytest.raises(ValueError, match="confidence"):
        interval_of(0.0, np.zeros(3), n_groups=3, confidence=95)
