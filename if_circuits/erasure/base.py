"""The protocols of erasure: a method fits activations and labels, and gives what removes the label.

A *method* (`EraserMethod`) is configuration. An *erasure* (`Erasure`) is a value that removes a concept from
activations it has never seen. The plain case is a `Subspace` (`interventions.subspace`); LEACE, an oblique
projection, is the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Shaped

from if_circuits.errors import InputError
from if_circuits.registry import Arguments, Registry, calling_module

Fit = TypeVar("Fit", bound=Callable[..., object])


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


@dataclass(frozen=True)
class FunctionMethod:
    """An erasure method that asks a function what to remove."""

    name: str
    function: Callable[..., Any]
    arguments: Arguments

    @property
    def fit(self) -> Callable[..., Any]:
        """Fits to X and y, or to what `acts.at` gives, as our own methods do (`fits`)."""
        from if_circuits.erasure.fits import Fit as FitOf  # which loads torch

        return FitOf(FunctionMethod._fit, self)

    def _fit(
        self,
        X: Float[np.ndarray, "n d"],
        y: Bool[np.ndarray, " n"],
        *,
        groups: Shaped[np.ndarray, " n"],
        seed: int,
    ) -> Any:
        """The function's erasure, or the span of its directions, centred on the mean of X."""
        from if_circuits.interventions.subspace import Subspace

        found = self.function(X, y, **self.arguments.accepted(groups=groups, seed=seed))
        if isinstance(found, Erasure):
            return found
        if np.shape(found)[-1:] != X.shape[1:] or np.ndim(found) > 2 or not np.isfinite(found).all():
            raise InputError(
                f"erasure method {self.name!r} returned {type(found).__name__} of shape {np.shape(found)}; "
                f"expected finite directions [k, {X.shape[1]}], a Subspace, or another erasure with `remove`"
            )
        return Subspace.orthonormalise(np.atleast_2d(found), mean=X.mean(axis=0), name=self.name)


def _factory(name: str, source: object) -> Callable[[], EraserMethod] | None:
    if isinstance(source, type):
        if not (callable(getattr(source, "fit", None)) and hasattr(source, "name")):
            raise InputError(
                "a class of erasure methods has a `name` and a method `fit(X, y, *, groups, seed)`, "
                "this one not both"
            )
        return cast(type[EraserMethod], source)
    if not callable(source):
        return None
    function = cast(Callable[..., Any], source)
    arguments = Arguments.of(function, positional=["X", "y"])
    arguments.check_required(["groups", "seed"])
    return lambda: cast(EraserMethod, FunctionMethod(name, function, arguments))


erasure_methods: Registry[Callable[[], EraserMethod]] = Registry(
    "erasure method",
    group="if_circuits.erasure_methods",
    modules=[
        f"if_circuits.erasure.{name}" for name in ("inlp", "leace", "difference_in_means", "random_subspace")
    ],
    expects="a function of (X, y, *, groups, seed), or a class with `name` and `fit(X, y, *, groups, seed)`",
    adapt=_factory,
)
"""Methods by name, as factories of their default configuration."""


def erasure_method(name: str) -> Callable[[Fit], Fit]:
    """Make an erasure method of the function or class below.

    A function is called with activations X [n, d] and labels y [n], True for satisfied; with `groups` (the
    base query of each row, never to be split) and `seed`, too, if it takes them. It returns the directions
    [k, d] to remove, most important first, or an erasure of its own, such as a `Subspace`. A class, such as a
    frozen dataclass of settings, has a `name` and a method `fit(X, y, *, groups, seed)` that returns an
    erasure; it is made without arguments.

    Either is then fitted as our own methods are: `its_name.fit(acts.at(layer=3, position="last"))` gives what
    `.ablate()`, `.steer(by=2)` and the like make interventions of.

    Raises:
        InputError: The name is taken, or what is decorated is neither.

    Example:
        >>> import numpy as np
        >>> @erasure_method("first-coordinate")
        ... def first_coordinate(X, y):
        ...     return np.eye(X.shape[1])[0]
        >>> X, y = np.array([[0.0, 5.0], [2.0, 7.0]]), np.array([False, True])
        >>> found = first_coordinate.fit(X, y, groups=y)
        >>> found.remove(X).tolist()
        [[1.0, 5.0], [1.0, 7.0]]
        >>> found.ablate(layers=3)
        ProjectOut(first-coordinate, rank 1, alpha=1) at 3; generated
    """
    register = erasure_methods.register(name, origin=calling_module())

    def add(source: Fit) -> Fit:
        from if_circuits.erasure.fits import make_fittable

        decorated: Any = register(source)
        if isinstance(decorated, type):
            make_fittable(decorated)
        else:
            decorated.fit = cast(Any, erasure_methods.get(name)()).fit
        return source

    return add
