import numpy as np
import pytest

from if_circuits.errors import InputError
from if_circuits.probes.solver.standardise import Design, weighted_moments


def test_moments_under_a_mask_are_those_of_its_rows():
    rng = np.random.default_rng(0)
    Z, masks = rng.normal(size=(50, 4)), rng.random((3, 50)) < 0.5
    mean, spread = weighted_moments(Z, masks.astype(float))
    for j, mask in enumerate(masks):
        np.testing.assert_allclose(mean[j], Z[mask].mean(axis=0))
        np.testing.assert_allclose(spread[j], Z[mask].std(axis=0))


def test_a_small_spread_far_from_zero_keeps_its_digits():
    Z = np.concatenate([1.0 + 1e-6 * np.arange(10), [-10.0]])[:, None]
    spread = weighted_moments(Z, np.array([[1.0] * 10 + [0.0]]))[1]
    assert spread[0, 0] == pytest.approx(1e-6 * np.arange(10).std(), rel=1e-8)


def test_a_column_constant_on_the_rows_has_a_spread_of_exactly_zero():
    for rows in range(2, 40):
        Z = np.array([0.1] * rows + [2.0])[:, None]
        assert weighted_moments(Z, np.array([[1.0] * rows + [0.0]]))[1][0, 0] == 0.0


def test_a_design_is_in_common_units_and_can_be_put_back():
    X = np.random.default_rng(0).normal(3.0, 2.0, size=(30, 5)).astype(np.float32)
    X[:, 2] = 0.1
    design = Design.of(X, standardise=True)
    np.testing.assert_allclose(design.Z.std(axis=0), [1, 1, 0, 1, 1], atol=1e-12)
    np.testing.assert_allclose(design.Z * design.scale + design.mean, X, rtol=1e-6)
    assert (Design.of(X, standardise=False).scale == 1.0).all()


def test_nan_is_refused():
    with pytest.raises(InputError, match="NaN"):
        Design.of(np.array([[np.nan], [1.0]]), standardise=True)
