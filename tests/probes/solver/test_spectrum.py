import numpy as np
import pytest

from if_circuits.probes.solver.spectrum import Gain, Spectrum


def test_the_spectrum_of_a_small_matrix_is_complete():
    Z = np.random.default_rng(0).normal(size=(40, 12))
    spectrum = Spectrum.of(Z)
    np.testing.assert_allclose((spectrum.vectors.T * spectrum.values) @ spectrum.vectors, Z.T @ Z, atol=1e-10)
    assert spectrum.rest == 0.0


def test_the_spectrum_of_a_large_matrix_leads_with_its_largest_directions():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(500, 400)) * np.where(np.arange(400) < 5, 30.0, 1.0)
    spectrum = Spectrum.of(Z)
    exact = np.linalg.eigvalsh(Z.T @ Z)
    np.testing.assert_allclose(spectrum.values[-5:], exact[-5:], rtol=1e-6)
    np.testing.assert_allclose(
        spectrum.vectors @ spectrum.vectors.T, np.eye(len(spectrum.values)), atol=1e-10
    )
    assert spectrum.rest * (400 - len(spectrum.values)) + spectrum.values.sum() == pytest.approx(exact.sum())


def test_a_gain_of_a_complete_spectrum_is_the_inverse_of_the_curvature():
    Z = np.random.default_rng(0).normal(size=(40, 12))
    spectrum, curvature, penalty = Spectrum.of(Z), np.array([0.2, 0.05]), np.array([0.1, 3.0])
    gain = Gain.of(spectrum, curvature=curvature, penalty=penalty)
    for j in range(2):
        inverse = (spectrum.vectors.T * gain.leading[j]) @ spectrum.vectors + gain.rest[j] * np.eye(12)
        hessian = curvature[j] * Z.T @ Z + penalty[j] * np.eye(12)
        np.testing.assert_allclose(inverse @ hessian, np.eye(12), atol=1e-10)
