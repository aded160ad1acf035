"""Erasure methods of one's own, fitted and used as the library's are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from if_circuits.erasure.base import erasure_method, erasure_methods
from if_circuits.erasure.difference_in_means import DifferenceInMeans
from if_circuits.errors import InputError
from if_circuits.interventions.subspace import Subspace

N, D = 40, 6


@pytest.fixture
def acts() -> Any:
    """What `acts.at` gives: labels on the fourth coordinate."""
    rng = np.random.default_rng(0)
    labels = np.arange(N) % 2 == 0
    X = rng.standard_normal((N, D)) + 3 * np.outer(labels, np.arange(D) == 3)
    return SimpleNamespace(X=X, labels=labels, groups=np.arange(N) // 4, layer=2, position="50%")


def means(X: Any, y: Any) -> Any:
    return X[y].mean(axis=0) - X[~y].mean(axis=0)


@dataclass(frozen=True)
class Own:
    name: str = "own class"

    def fit(self, X: Any, y: Any, *, groups: Any, seed: int) -> Subspace:
        del groups, seed
        return Subspace.orthonormalise(means(X, y)[None], mean=X.mean(axis=0), name=self.name)


def as_function() -> Any:
    return erasure_method("own-function")(lambda X, y: means(X, y))


def as_class() -> Any:
    return erasure_method("own-class")(Own)


@pytest.mark.parametrize("make", [as_function, as_class])
def test_a_method_of_ones_own_does_what_ours_does(make: Callable[[], Any], acts: Any):
    method, ours = make(), DifferenceInMeans.fit(acts)
    found = method.fit(acts)
    # The same arithmetic on the same numbers: equal to the last bit.
    assert np.array_equal(found.remove(acts.X), ours.remove(acts.X))
    assert str(found.read_at) == str(ours.read_at)
    assert np.array_equal(found.read_at.step, ours.read_at.step)
    assert found.ablate().layers == (2,)
    assert found.steer(by=2.0).layers == (2,)
    X, y, groups = acts.X, acts.labels, acts.groups
    assert np.array_equal(method.fit(X, y, groups=groups).basis, found.basis)


def test_the_registered_method_is_the_same(acts: Any):
    as_function()
    as_class()
    for name in ("own-function", "own-class"):
        found = erasure_methods.get(name)().fit(acts.X, acts.labels, groups=acts.groups, seed=0)
        assert np.array_equal(found.remove(acts.X), DifferenceInMeans.fit(acts).remove(acts.X))


def test_an_erasure_of_another_kind_removes_and_no_more(acts: Any):
    class Nothing:
        name = "nothing"

        def remove(self, X: Any) -> Any:
            return X

    found = erasure_method("nothing")(lambda X, y: Nothing() if len(X) == len(y) else None).fit(acts)
    assert np.array_equal(found.remove(acts.X), acts.X)
    assert not hasattr(found, "ablate")


def test_what_cannot_be_fitted_is_said_by_name(acts: Any):
    with pytest.raises(InputError, match=r"own-function is fitted to activations with labels: give acts\.at"):
        as_function().fit(acts.X)
    with pytest.raises(InputError, match="'wrong' returned ndarray of shape"):
        erasure_method("wrong")(lambda X, y: np.ones(len(means(X, y)) + 1)).fit(acts)
