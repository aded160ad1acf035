"""Permutation tests: their error rate under the null, their power, and how they treat groups."""

from itertools import product

import numpy as np
import pytest

from if_circuits.statistics.permutation import paired_permutation, permutation_p


def test_p_counts_the_observed_arrangement() -> None:
    null = np.arange(99.0)
    assert permutation_p(1000.0, null) == 1 / 100
    assert permutation_p(98.0, null) == 2 / 100
    assert permutation_p(-1.0, null) == 1.0
    assert permutation_p(-1.0, null, alternative="less") == 1 / 100
    assert permutation_p(1000.0, null, alternative="two-sided") == 2 / 100


def test_undefined_null_values_count_against_the_finding() -> None:
    assert permutation_p(5.0, np.array([np.nan, 0.0, 0.0])) == 2 / 4
    assert permutation_p(-5.0, np.array([np.nan, 0.0, 0.0]), alternative="less") == 2 / 4
    assert np.isnan(permutation_p(float("nan"), np.zeros(3)))


def test_paired_permutation_enumerates_few_groups() -> None:
    differences, groups = np.array([1.0, 2.0, 3.0, -1.0, 4.0]), np.array([0, 0, 1, 2, 2])
    result = paired_permutation(differences, groups, seed=0, alternative="greater")
    sums = np.array([3.0, 3.0, 3.0])
    arrangements = [np.dot(signs, sums) for signs in product([-1, 1], repeat=3)]
    assert result.p == np.mean(np.array(arrangements) >= sums.sum())
    assert result.n_permutations == 8 and result.n_groups == 3
    assert result.statistic == pytest.approx(differences.mean())


def test_paired_permutation_holds_its_level_on_clustered_rows() -> None:
    rng, runs = np.random.default_rng(0), 400
    groups = np.repeat(np.arange(20), 10)
    rejections = sum(
        paired_permutation(rng.normal(size=20)[groups], groups, n_permutations=199, seed=run).p <= 0.05
        for run in range(runs)
    )
    # 5 % plus three binomial standard errors; flipping single rows would reject about half of the time.
    assert rejections / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_paired_permutation_finds_an_effect() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(40), 3)
    differences = rng.normal(size=40)[groups] + 1.0
    assert paired_permutation(differences, groups, seed=0, alternative="greater").p == pytest.approx(1 / 1001)
    assert paired_permutation(differences, groups, seed=0, alternative="less").p > 0.99


def test_a_single_group_cannot_be_significant() -> None:
    assert paired_permutation(np.ones(5), np.zeros(5), seed=0).p == 1.0


def test_nan_differences_are_refused() -> None:
    with pytest.raises(ValueError, match="1 of 2 differences"):
        paired_permutation(np.array([1.0, np.nan]), np.array([0, 1]), seed=0)
