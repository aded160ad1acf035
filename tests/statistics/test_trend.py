"""Kendall's tau against SciPy, and the level and power of the trend test."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from if_circuits.statistics.trend import kendall_tau, trend_test

FAMILIES = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3], dtype=float)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=2, max_size=15))
def test_equals_scipy_under_ties(pairs: list[tuple[int, int]]) -> None:
    values, order = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    expected = stats.kendalltau(values, order).statistic
    np.testing.assert_allclose(kendall_tau(values[None], order)[0], expected, atol=1e-12)


def test_missing_values_are_left_out_of_their_row() -> None:
    values = np.array([[1.0, np.nan, 2.0, 2.0], [4.0, 3.0, 2.0, 1.0]])
    order = np.array([0.0, 1.0, 1.0, 2.0])
    taus = kendall_tau(values, order)
    assert taus[0] == pytest.approx(stats.kendalltau([1, 2, 2], [0, 1, 2]).statistic)
    assert taus[1] == pytest.approx(stats.kendalltau([4, 3, 2, 1], order).statistic)


def test_level_under_no_trend() -> None:
    rng, runs = np.random.default_rng(0), 300
    rejections = sum(
        trend_test(rng.integers(0, 6, size=9).astype(float), FAMILIES, n_permutations=199, seed=run).p <= 0.05
        for run in range(runs)
    )
    assert rejections / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_a_clean_rise_is_found_and_a_fall_is_not() -> None:
    values = np.array([0, 1, 1, 2, 2, 4, 5, 6, 6], dtype=float)
    assert trend_test(values, FAMILIES, seed=0).p < 0.01
    assert trend_test(-values, FAMILIES, seed=0).p > 0.99
    assert trend_test(-values, FAMILIES, seed=0, alternative="less").p < 0.01


def test_p_equals_the_exact_permutation_test() -> None:
    values, order = np.array([1.0, 3.0, 2.0, 5.0]), np.array([0.0, 0.0, 1.0, 2.0])
    exact = stats.permutation_test(
        (values,),
        lambda v: stats.kendalltau(v, order).statistic,
        permutation_type="pairings",
        alternative="greater",
        n_resamples=np.inf,
    )
    assert trend_test(values, order, n_permutations=40_000, seed=0).p == pytest.approx(exact.pvalue, abs=0.01)


def test_too_little_data_gives_no_p() -> None:
    assert np.isnan(trend_test(np.full(9, np.nan), FAMILIES, seed=0).p)
    assert np.isnan(trend_test(np.ones(9), FAMILIES, seed=0).p)
