"""Principal angles between two subspaces, and their overlap beyond that of random subspaces."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg import orth, svdvals


@dataclass(frozen=True)
class Overlap:
    """The share of the smaller subspace that lies in the larger one."""

    raw: float
    """Mean squared cosine of the principal angles: 1 for nested subspaces, 0 for orthogonal ones."""
    chance: float
    """Its mean over uniformly random subspaces of the same ranks: the larger rank over d."""
    debiased: float
    """(raw - chance) / (1 - chance): 0 for random, 1 for nested subspaces; negative below chance."""


def principal_angles(
    A: Float[np.ndarray, "k d"], B: Float[np.ndarray, "m d"]
) -> Float[np.ndarray, " smaller"]:
    """Angles in radians, smallest first, between the spans of the rows of A and of B.

    Each is accurate to rounding: from its sine below 45 degrees, from its cosine above (Knyazev and
    Argentati 2002). SciPy's `subspace_angles` takes the smallest from cosines where others are above, and
    then loses half of their digits. Raises ValueError for empty bases and for different d.
    """
    if 0 in (len(A), len(B)):
        raise ValueError("a subspace of rank 0 has no principal angles")
    if A.shape[1] != B.shape[1]:
        raise ValueError(f"subspaces of different spaces, of d = {A.shape[1]} and {B.shape[1]}")
    smaller, larger = sorted((orth(A.T), orth(B.T)), key=lambda basis: basis.shape[1])
    within = larger.T @ smaller
    cosines = np.minimum(svdvals(within), 1.0)
    sines = np.minimum(svdvals(smaller - larger @ within)[::-1], 1.0)
    return np.where(cosines**2 >= 0.5, np.arcsin(sines), np.arccos(cosines))


def subspace_overlap(A: Float[np.ndarray, "k d"], B: Float[np.ndarray, "m d"]) -> Overlap:
    """Overlap of the spans of the linearly independent rows of A and of B.

    For a uniformly random B, E[P_B] = m / d I, which gives the chance level. It is a debiasing against random
    directions in all of the space; where activations fill only a part of it, compare within that part.

    Example:
        >>> import numpy as np
        >>> import if_circuits as ifc
        >>> ifc.subspace_overlap(np.eye(10)[:2], np.eye(10)[:4]).debiased
        1.0
    """
    raw = float(np.square(np.cos(principal_angles(A, B))).mean())
    chance = max(len(A), len(B)) / A.shape[1]
    return Overlap(raw, chance, (raw - chance) / (1 - chance) if chance < 1 else float("nan"))
