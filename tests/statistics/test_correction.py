"""Holm and Benjamini-Hochberg: hand-computed values, any shape, NaN kept in the family."""

import numpy as np
import pytest

from if_circuits.statistics.correction import benjamini_hochberg, holm


def test_hand_computed_values() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(holm(p), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(benjamini_hochberg(p), [0.02, 0.04, 0.04, 0.02])


def test_agree_with_the_definitions() -> None:
    p = np.random.default_rng(1).random(40) ** 3
    order = np.argsort(p)
    stepped_up = np.minimum.accumulate((p[order] * 40 / np.arange(1, 41))[::-1])[::-1]
    np.testing.assert_allclose(benjamini_hochberg(p)[order], stepped_up)
    stepped_down = np.maximum.accumulate(p[order] * np.arange(40, 0, -1)).clip(max=1.0)
    np.testing.assert_allclose(holm(p)[order], stepped_down)


@pytest.mark.parametrize("correct", [holm, benjamini_hochberg])
def test_a_test_that_failed_stays_nan_and_stays_in_the_family(correct) -> None:
    with_failure = correct(np.array([0.01, np.nan, 0.04]))
    assert np.isnan(with_failure[1])
    np.testing.assert_allclose(with_failure[[0, 2]], correct(np.array([0.01, 1.0, 0.04]))[[0, 2]])


@pytest.mark.parametrize("correct", [holm, benjamini_hochberg])
def test_matrices_keep_their_shape(correct) -> None:
    p = np.random.default_rng(0).random((3, 4))
    np.testing.assert_allclose(correct(p), correct(p.ravel()).reshape(3, 4))
    assert np.isnan(correct(np.full((2, 2), np.nan))).all()
    assert correct(np.array([])).shape == (0,)


def test_values_that_are_no_p_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\], got 1.5"):
        holm(np.array([0.1, 1.5]))
