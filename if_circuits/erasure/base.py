"""The protocols of erasure: a method fits activations and labels, and gives what removes the label.

A *method* (`EraserMethod`) is configuration. An *erasure* (`Erasure`) is a value that removes a concept from
activations it has never seen. The plain case is a `Subspace` (`interventions.subspace`); LEACE, an oblique
projection, is the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Shaped

from if_circuits.registry import Registry


@runtime_checkable
class Erasure(Protocol):
    """A fitted removal of one concept."""

    @property
    def name(self) -> str:
        """What was removed, and how; labels tables and figures."""
        ...

    def remove(self, X: Float[np.ndarray, "*rows d"]) -> Float[np.ndarray, "*rows d"]:
        """The activations X without the concept, in float64."""
        ...


class EraserMethod(Protocol):
    """A way to find what to remove; instances are frozen configurations."""

    @property
    def name(self) -> str:
        """The method's name, which its erasures carry."""
        ...

    def fit(
        self,
        X: Float[np.ndarray, "n d"],
        y: Bool[np.ndarray, " n"],
        *,
        groups: Shaped[np.ndarray, " n"],
        seed: int,
    ) -> Erasure:
        """The erasure of label y from activations X; rows of one group are never split."""
        ...


erasure_methods: Registry[Callable[[], EraserMethod]] = Registry(
    "erasure method",
    group="if_circuits.erasure_methods",
    modules=[
        f"if_circuits.erasure.{name}" for name in ("inlp", "leace", "difference_in_means", "random_subspace")
    ],
    expects="a factory of erasure methods, such as a class with `name` and `fit(X, y, *, groups, seed)`",
    accepts=callable,
)
"""Methods by name, as factories of their default configuration."""
