import numpy as np
import pytest

from if_circuits.errors import InputError
from if_circuits.probes.mean_difference import fit_mean_difference


def test_the_direction_joins_the_class_means_and_the_scores_are_log_odds():
    rng = np.random.default_rng(0)
    y = rng.random(40_000) < 0.25
    X = rng.normal(scale=2.0, size=(40_000, 3)) + 5.0
    X[:, 1] += 3.0 * y
    probe = fit_mean_difference(X, y)
    np.testing.assert_allclose(probe.direction, [0, 1, 0], atol=0.05)
    # Log-odds of N(8, 4) against N(5, 4) at 8 with prior 1 : 3.
    assert probe.scores(np.array([[5.0, 8.0, 5.0]]))[0] == pytest.approx(9 / 8 - np.log(3), abs=0.1)


def test_rotating_the_activations_rotates_the_direction():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 4)), np.arange(50) < 20
    Q = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    np.testing.assert_allclose(
        fit_mean_difference(X @ Q, y).direction, fit_mean_difference(X, y).direction @ Q, atol=1e-10
    )


def test_classes_without_spread_have_finite_scores():
    X = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    scores = fit_mean_difference(X, np.array([True, True, False, False])).scores(X)
    assert np.isfinite(scores).all()
    assert scores[:2].min() > scores[2:].max()


@pytest.mark.parametrize(("X", "y"), [(np.eye(2), [True, True]), (np.ones((4, 2)), [True, False] * 2)])
def test_no_difference_is_refused(X, y):
    with pytest.raises(InputError):
        fit_mean_difference(X, np.array(y))
