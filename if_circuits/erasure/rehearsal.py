"""A method that is to ablate in a study is tried on planted data first, before anything is generated.

A study compares every removal with random subspaces of its rank, and projects inside the model; so it takes
methods that fit a `Subspace`. That cannot be seen from the method's name.
"""

from __future__ import annotations

import numpy as np

from if_circuits.erasure.base import erasure_methods
from if_circuits.errors import InputError
from if_circuits.interventions.subspace import Subspace

ROWS, WIDTH, ROWS_PER_GROUP = 240, 16, 4


def rehearse(name: str) -> None:
    """Fit the erasure method of that name to easy data.

    Raises InputError if there is none, or if what it fits is not a subspace of the activations' width.
    """
    rng = np.random.default_rng(0)
    y = rng.random(ROWS) < 0.5
    X = rng.standard_normal((ROWS, WIDTH)) + 2.0 * y[:, None] * (np.arange(WIDTH) == 0)
    groups = np.arange(ROWS) // ROWS_PER_GROUP
    erasure = erasure_methods.get(name)().fit(X, y, groups=groups, seed=0)
    if not isinstance(erasure, Subspace):
        raise InputError(
            f"erasure method {name!r} fits no subspace but another map of the activations, so there are no "
            "random subspaces of its rank to compare an ablation with; choose inlp or mean_difference"
        )
    if len(erasure.mean) != WIDTH:
        raise InputError(
            f"erasure method {name!r} fits a subspace of {len(erasure.mean)} dimensions to "
            f"activations of {WIDTH}"
        )
