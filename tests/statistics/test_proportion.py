import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from if_circuits.statistics.proportion import wilson


@given(n=st.integers(1, 400), data=st.data(), confidence=st.sampled_from((0.9, 0.95, 0.99)))
def test_the_interval_is_scipys_and_holds_the_share(n: int, data: st.DataObject, confidence: float):
    count = data.draw(st.integers(0, n))
    low, high = wilson(count, n, confidence=confidence)
    expected = binomtest(count, n).proportion_ci(confidence_level=confidence, method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert low <= count / n <= high


@pytest.mark.parametrize(("count", "n"), [(0, 0), (3, 2), (-1, 5)])
def test_an_impossible_share_is_refused(count: int, n: int):
    with pytest.raises(ValueError, match=f"{count} of {n}"):
        wilson(count, n)
