"""The grouped jackknife: classical standard errors, coverage, and the bootstrap's bias that it avoids."""

import numpy as np
import pytest
from scipy import stats

from if_circuits.similarity.measures import svcca
from if_circuits.statistics.bootstrap import bootstrap_draws
from if_circuits.statistics.jackknife import group_jackknife


def test_one_row_per_block_gives_the_classical_interval_of_a_mean() -> None:
    values = np.random.default_rng(0).normal(size=30)
    interval = group_jackknife(np.arange(30), lambda kept: values[kept].mean(), n_blocks=30, seed=0)
    expected = stats.t.interval(0.95, 29, loc=values.mean(), scale=stats.sem(values))
    assert interval.bounds == pytest.approx(expected)
    assert interval.n_groups == 30


def test_covers_a_ratio_of_clustered_means_at_its_nominal_rate() -> None:
    rng, runs = np.random.default_rng(1), 400
    groups = np.repeat(np.arange(40), 4)
    covered = 0
    for run in range(runs):
        x = 2 + rng.normal(size=40)[groups] + rng.normal(size=160)
        y = 4 + rng.normal(size=40)[groups] + rng.normal(size=160)
        interval = group_jackknife(groups, lambda kept, x=x, y=y: x[kept].mean() / y[kept].mean(), seed=run)
        covered += interval.low <= 0.5 <= interval.high
    assert 0.92 <= covered / runs <= 0.98


def test_whole_groups_are_left_out() -> None:
    groups = np.array(["a", "a", "b", "c", "c", "d"])
    seen: list[np.ndarray] = []

    def statistic(kept: np.ndarray) -> float:
        seen.append(kept)
        return 0.0

    group_jackknife(groups, statistic, n_blocks=2, seed=0)
    assert seen[0].all()
    assert (seen[1] ^ seen[2]).all()
    for kept in seen:
        assert kept[0] == kept[1] and kept[3] == kept[4]


def test_drawing_groups_twice_inflates_similarity_and_leaving_them_out_does_not() -> None:
    rng = np.random.default_rng(2)
    X, Y = rng.normal(size=(60, 6)), rng.normal(size=(60, 6))
    full = svcca(X, Y, k=6)
    resampled = [
        svcca(np.repeat(X, w.astype(int), axis=0), np.repeat(Y, w.astype(int), axis=0), k=6)
        for w in bootstrap_draws(np.arange(60), lambda w: w, n_resamples=100, seed=0)
    ]
    interval = group_jackknife(np.arange(60), lambda kept: svcca(X[kept], Y[kept], k=6), seed=0)
    assert np.mean(resampled) > full + 0.04
    assert interval.low < full < interval.high


def test_an_undefined_block_voids_the_interval() -> None:
    interval = group_jackknife(
        np.arange(6), lambda kept: 1.0 if kept[0] else float("nan"), n_blocks=3, seed=0
    )
    assert interval.estimate == 1.0 and np.isnan(interval.low) and interval.n_degenerate == 1
    assert np.isnan(group_jackknife(np.zeros(5), lambda _: 0.0, seed=0).low)
