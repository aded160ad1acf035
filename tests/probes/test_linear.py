import numpy as np
import pytest

from if_circuits.errors import InputError
from if_circuits.probes.linear import fit_linear_probe
from tests.probes.planted import planted, reference


def test_scores_are_scikit_learns_logits_and_n_over_d_is_recorded():
    X, y = planted(100, 8)
    probe = fit_linear_probe(X, y, C=0.5)
    expected = reference(X, y, C=0.5).decision_function(X)
    np.testing.assert_allclose(probe.scores(X), expected, atol=1e-3 * np.abs(expected).max())
    assert (probe.n, probe.n_over_d, probe.C, probe.converged) == (100, 12.5, 0.5, True)


def test_the_direction_is_the_unit_gradient_of_the_score_in_activation_space():
    X, y = planted(100, 8)
    probe = fit_linear_probe(X, y, C=0.5)
    assert np.linalg.norm(probe.direction) == pytest.approx(1.0)
    gradient = probe.scores(X[:1] + np.eye(8)) - probe.scores(X[:1])
    np.testing.assert_allclose(gradient / np.linalg.norm(gradient), probe.direction, atol=1e-9)


def test_a_probe_of_constant_features_has_no_direction():
    probe = fit_linear_probe(np.ones((4, 3)), np.array([True, False, True, False]), C=1.0)
    assert probe.direction.tolist() == [0.0, 0.0, 0.0]


def test_one_class_is_refused():
    with pytest.raises(InputError, match="one class"):
        fit_linear_probe(np.eye(3), np.ones(3, dtype=bool), C=1.0)
