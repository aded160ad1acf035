"""Ratios: the interval of a known ratio, and none where the denominator is noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from if_circuits.statistics.bootstrap import bootstrap_draws, weighted_mean
from if_circuits.statistics.ratio import Resampled, ratio_interval
from if_circuits.statistics.verdicts import decide

N = 60


def means(seed: int, *, numerator: float, denominator: float) -> tuple[Resampled, Resampled]:
    """Two means of unit-variance rows that belong together, resampled together."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(N, 2)) + [numerator, denominator]
    found = []
    for column in values.T:
        draws = bootstrap_draws(
            np.arange(N), lambda w, column=column: weighted_mean(column, w), n_resamples=400, seed=0
        )
        found.append(Resampled(float(column.mean()), draws))
    return found[0], found[1]


@given(st.integers(0, 10_000), st.floats(-1, 1))
@settings(max_examples=60, deadline=None)
def test_a_ratio_lies_in_its_own_interval_or_there_is_none(seed: int, denominator: float):
    above, below = means(seed, numerator=0.5, denominator=denominator)
    found = ratio_interval(above, below, n_groups=N)
    reaches_zero = not np.quantile(below.draws, 0.025) > 0
    assert np.isnan(found.estimate) == reaches_zero == bool(found.reason)
    if not reaches_zero:
        assert found.low <= found.estimate <= found.high
        assert found.estimate == above.estimate / below.estimate


def test_the_interval_covers_a_known_ratio():
    runs = [ratio_interval(*means(run, numerator=1.0, denominator=2.0), n_groups=N) for run in range(100)]
    covered = sum(run.low <= 0.5 <= run.high for run in runs)
    assert covered >= 88  # of 100 at 95 %: fewer happens once in 240 such tests
    assert np.mean([run.high - run.low for run in runs]) < 0.4


def test_a_verdict_on_noise_is_inconclusive_and_says_why():
    found = ratio_interval(*means(1, numerator=0.0, denominator=0.0), n_groups=N)
    decision = decide(found, supported_when="below", threshold=0.5)
    assert decision.verdict == "inconclusive"
    assert len(decision.notes) == 1
    assert decision.notes[0].startswith("no ratio, since its denominator (")
    assert "is not above 0" in decision.notes[0]


def test_resamples_without_a_positive_denominator_are_counted_and_left_out():
    draws = np.concatenate([[-0.1, 0.0], np.linspace(0.5, 1.5, 198)])
    found = ratio_interval(Resampled(2.0, 2.0 * np.ones(200)), Resampled(1.0, draws), n_groups=N)
    assert (found.n_degenerate, found.estimate) == (2, 2.0)
    assert 0 < found.low < found.high < 2.0 / 0.5 + 1e-9


def test_an_unknown_denominator_gives_no_ratio():
    one = Resampled(1.0, np.ones(100))
    found = ratio_interval(one, Resampled(float("nan"), np.full(100, np.nan)), n_groups=N)
    assert np.isnan(found.estimate)
    assert "nan" in found.reason


def test_a_negative_denominator_gives_no_ratio():
    one = Resampled(1.0, np.ones(100))
    found = ratio_interval(one, Resampled(-2.0, np.full(100, -2.0)), n_groups=N)
    assert found.reason == "no ratio, since its denominator (-2 [-2, -2]) is not above 0"
    with pytest.raises(ValueError, match="confidence"):
        ratio_interval(one, one, n_groups=N, confidence=2.0)
