"""Principal angles of subspaces whose angles are known, and the chance level of random ones."""

import numpy as np
import pytest

from if_circuits.similarity.angles import principal_angles, subspace_overlap
from tests.precision import assert_within, rounding


def random_basis(rng: np.random.Generator, k: int, d: int) -> np.ndarray:
    return np.linalg.qr(rng.normal(size=(d, k)))[0].T


@pytest.mark.parametrize(
    "planted", [[1e-7, 0.3, 1.2], [1e-7, 1e-3, 0.3], [1e-9, 1.0, 1.5], [np.pi / 4, np.pi / 4, np.pi / 2]]
)
def test_planted_angles_are_recovered_in_any_coordinates_and_basis(planted: list[float]) -> None:
    rng = np.random.default_rng(0)
    d = 10
    A, B = np.eye(3, d), np.zeros((3, d))
    for i, angle in enumerate(planted):
        B[i, i], B[i, 5 + i] = np.cos(angle), np.sin(angle)
    rotation = random_basis(rng, d, d)
    mixing = rng.normal(size=(3, 3))
    # A span moves by the rounding of its basis times the basis' condition number, and the angles by as much.
    bound = rounding(d, np.linalg.cond(mixing) * d)
    assert_within(principal_angles(A @ rotation, mixing @ B @ rotation), planted, bound)


def test_nested_and_orthogonal_subspaces() -> None:
    axes = np.eye(6)
    assert subspace_overlap(axes[:2], axes[:4]).raw == pytest.approx(1.0)
    assert subspace_overlap(axes[:2], axes[:4]).debiased == pytest.approx(1.0)
    orthogonal = subspace_overlap(axes[:2], axes[2:4])
    assert orthogonal.raw == pytest.approx(0.0) and orthogonal.debiased < 0
    np.testing.assert_allclose(principal_angles(axes[:2], axes[2:4]), np.pi / 2)


@pytest.mark.parametrize(("k", "m", "d"), [(1, 1, 8), (2, 5, 20), (6, 3, 12)])
def test_random_subspaces_overlap_by_chance_alone(k: int, m: int, d: int) -> None:
    rng = np.random.default_rng(1)
    overlaps = [subspace_overlap(random_basis(rng, k, d), random_basis(rng, m, d)) for _ in range(400)]
    raw = np.array([overlap.raw for overlap in overlaps])
    error = raw.std() / np.sqrt(len(raw))
    assert overlaps[0].chance == max(k, m) / d
    assert abs(raw.mean() - overlaps[0].chance) < 4 * error
    assert abs(np.mean([overlap.debiased for overlap in overlaps])) < 4 * error / (1 - overlaps[0].chance)


def test_bad_bases_are_named() -> None:
    with pytest.raises(ValueError, match="rank 0"):
        principal_angles(np.zeros((0, 3)), np.eye(3))
    with pytest.raises(ValueError, match="d = 3 and 4"):
        principal_angles(np.eye(3), np.eye(4))
