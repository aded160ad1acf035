from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from if_circuits.erasure.base import Erasure
from if_circuits.errors import InputError
from if_circuits.interventions.subspace import Subspace

directions = arrays(
    np.float64, st.tuples(st.integers(1, 6), st.just(5)), elements=st.floats(-1e3, 1e3, width=32)
)


def random_subspace(k: int = 3, d: int = 7) -> Subspace:
    rng = np.random.default_rng(0)
    return Subspace.orthonormalise(rng.normal(size=(k, d)), mean=rng.normal(size=d), name="test")


@given(directions)
def test_the_projector_is_symmetric_idempotent_and_keeps_the_directions(W):
    subspace = Subspace.orthonormalise(W, name="span")
    P = subspace.projector
    np.testing.assert_allclose(P, P.T, atol=1e-12)
    np.testing.assert_allclose(P @ P, P, atol=1e-12)
    np.testing.assert_allclose(W @ P, W, atol=1e-6 * (1 + np.abs(W).max()))
    assert subspace.rank == round(np.trace(P))


@given(directions, st.floats(0.01, 100))
def test_after_removal_the_directions_read_nothing_but_the_mean(W, scale: float):
    X = scale * np.random.default_rng(0).normal(size=(20, 5))
    subspace = Subspace.orthonormalise(W, mean=X.mean(axis=0), name="span")
    left = subspace.remove(X)
    assert np.abs((left - X.mean(axis=0)) @ W.T).max() < 1e-8 * scale * (1 + np.abs(W).max())
    np.testing.assert_allclose(left.mean(axis=0), X.mean(axis=0), atol=1e-9 * scale)


def test_the_first_rows_span_the_first_directions():
    W = np.random.default_rng(0).normal(size=(4, 9))
    full = Subspace.orthonormalise(W, name="all")
    for k in range(5):
        np.testing.assert_allclose(
            full.leading(k).projector, Subspace.orthonormalise(W[:k], name="some").projector, atol=1e-12
        )


def test_nearly_parallel_directions_are_orthonormal_to_float64():
    a = np.random.default_rng(0).normal(size=50)
    b = a + 1e-7 * np.random.default_rng(1).normal(size=50)
    basis = Subspace.orthonormalise(np.stack([a, b]), name="close").basis
    np.testing.assert_allclose(basis @ basis.T, np.eye(2), atol=1e-14)


def test_repeated_and_zero_directions_add_nothing():
    a = np.array([1.0, 2.0, 0.0])
    assert Subspace.orthonormalise(np.stack([a, np.zeros(3), -3 * a]), name="line").rank == 1


def test_removal_of_nothing_and_of_everything():
    X = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_array_equal(Subspace.orthonormalise(np.zeros((0, 3)), name="none").remove(X), X)
    everything = Subspace.orthonormalise(np.eye(3), mean=np.array([1.0, 2.0, 3.0]), name="all")
    np.testing.assert_allclose(everything.remove(X), np.tile([1.0, 2.0, 3.0], (4, 1)))


def test_alpha_scales_the_removal_and_two_reflects():
    subspace = random_subspace()
    X = np.random.default_rng(1).normal(size=(5, 7))
    np.testing.assert_array_equal(subspace.remove(X, alpha=0.0), X)
    reflected = subspace.remove(X, alpha=2.0)
    np.testing.assert_allclose(subspace.coordinates(reflected), -subspace.coordinates(X), atol=1e-12)
    np.testing.assert_allclose(subspace.remove(reflected, alpha=2.0), X, atol=1e-12)
    np.testing.assert_allclose(subspace.remove(X, alpha=0.5), (X + subspace.remove(X)) / 2)


def test_leading_directions_alone_can_be_removed():
    subspace = random_subspace()
    X = np.random.default_rng(1).normal(size=(5, 7))
    np.testing.assert_array_equal(subspace.remove(X, leading=1), subspace.leading(1).remove(X))
    np.testing.assert_allclose(
        subspace.coordinates(subspace.remove(X, leading=1))[:, 1:], subspace.coordinates(X)[:, 1:]
    )
    with pytest.raises(InputError, match="rank 3"):
        subspace.leading(4)


def test_activations_may_have_any_leading_shape_and_precision():
    subspace = random_subspace()
    X = np.random.default_rng(1).normal(size=(2, 5, 7)).astype(np.float32)
    left = subspace.remove(X)
    assert left.dtype == np.float64
    np.testing.assert_allclose(left.reshape(-1, 7), subspace.remove(X.reshape(-1, 7)))
    with pytest.raises(InputError, match="d = 7"):
        subspace.remove(X[..., :6])


def test_a_saved_subspace_comes_back_as_it_was(tmp_path: Path):
    subspace = random_subspace()
    subspace.save(tmp_path / "s.safetensors")
    back = Subspace.load(tmp_path / "s.safetensors")
    np.testing.assert_array_equal(back.basis, subspace.basis)
    np.testing.assert_array_equal(back.mean, subspace.mean)
    assert back.name == "test"


def test_a_subspace_is_a_value_that_nobody_can_change():
    rows = np.eye(3)[:2]
    subspace = Subspace(basis=rows, mean=np.zeros(3), name="fixed")
    rows[0] = 7.0
    np.testing.assert_array_equal(subspace.basis, np.eye(3)[:2])
    with pytest.raises(ValueError, match="read-only"):
        subspace.basis[0, 0] = 2.0
    assert isinstance(subspace, Erasure)


@pytest.mark.parametrize(
    ("basis", "mean"),
    [
        (np.ones((1, 3)), np.zeros(3)),
        (np.eye(3), np.zeros(2)),
        (np.eye(3)[0], np.zeros(3)),
        (np.full((1, 2), np.nan), np.zeros(2)),
    ],
)
def test_what_is_no_subspace_is_refused(basis, mean):
    with pytest.raises(InputError, match="'odd'"):
        Subspace(basis=basis, mean=mean, name="odd")
