"""What a probe is to whoever compares probes: a method that is fitted to activations, and what it fits.

A method is a function or a class under `@probe_method("its-name")`. Ours are in `methods`. A study fits its
logistic probes many at a time, in `across_folds`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Protocol, TypeVar, cast

import numpy as np
from jaxtyping import Bool, Float, Shaped

from if_circuits.errors import InputError
from if_circuits.registry import Arguments, Registry, calling_module

Fit = TypeVar("Fit", bound=Callable[..., object])


class FittedProbe(Protocol):
    """A decision function."""

    @property
    def converged(self) -> bool:
        """False where the fit stopped before its end; True for a probe in closed form."""
        ...

    def scores(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Decision values, larger for "satisfied"; log-odds if accuracies are to mean something."""
        ...


class ProbeMethod(Protocol):
    """A way to fit a probe."""

    def __call__(
        self,
        X: Float[np.ndarray, "n d"],
        y: Bool[np.ndarray, " n"],
        /,
        *,
        groups: Shaped[np.ndarray, " n"],
        seed: int,
    ) -> FittedProbe:
        """The probe of label y; a method that holds rows out for itself never splits a group.

        Raises InputError for data that it cannot fit, such as a missing class.
        """
        ...


@dataclass(frozen=True)
class _Scores:
    """What a user's probe says, as of a probe in closed form."""

    of: Callable[[Float[np.ndarray, "n d"]], Float[np.ndarray, " n"]]
    converged: bool

    def scores(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        return np.asarray(self.of(X), dtype=np.float64)


def _method(name: str, source: object) -> ProbeMethod | None:
    if not callable(source):
        return None
    fit = cast(Callable[..., Any], source)
    arguments = Arguments.of(fit, positional=["X", "y"])
    arguments.check_required(["groups", "seed"])

    @wraps(fit)
    def method(
        X: Float[np.ndarray, "n d"],
        y: Bool[np.ndarray, " n"],
        /,
        *,
        groups: Shaped[np.ndarray, " n"],
        seed: int,
    ) -> FittedProbe:
        found = fit(X, y, **arguments.accepted(groups=groups, seed=seed))
        if hasattr(found, "scores"):
            return found if hasattr(found, "converged") else _Scores(found.scores, converged=True)
        if np.shape(found) != X.shape[1:] or not np.isfinite(found).all():
            raise InputError(
                f"probe {name!r} returned {type(found).__name__} of shape {np.shape(found)}; "
                f"expected a finite direction of shape {X.shape[1:]}, or a probe with a method `scores(X)`"
            )
        direction, middle = np.asarray(found, dtype=np.float64), (X[y].mean(axis=0) + X[~y].mean(axis=0)) / 2
        prior = float(np.log(y.mean()) - np.log1p(-y.mean()))
        return _Scores(lambda rows: (rows - middle) @ direction + prior, converged=True)

    return method


probes: Registry[ProbeMethod] = Registry(
    "probe",
    group="if_circuits.probes",
    modules=["if_circuits.probes.methods"],
    expects="a function of (X, y, *, groups, seed) that returns a direction, or a probe with `scores(X)`",
    adapt=_method,
)


def probe_method(name: str) -> Callable[[Fit], Fit]:
    """Make a probe method of the function or class below.

    It is called with activations X [n, d] and labels y [n], True for satisfied; with `groups` (the base query
    of each row, never to be split) and `seed`, too, if it takes them. It returns a direction [d] along which
    "satisfied" lies higher, or an object with a method `scores(X)`; so may a class whose instances are
    fitted probes. A direction counts from the middle between the class means.

    Raises:
        InputError: The name is taken, or what is decorated takes other arguments.

    Example:
        >>> import numpy as np
        >>> @probe_method("first-coordinate")
        ... def first_coordinate(X, y):
        ...     return np.eye(X.shape[1])[0]
        >>> X, y = np.array([[0.0, 5.0], [2.0, 5.0]]), np.array([False, True])
        >>> probes.get("first-coordinate")(X, y, groups=y, seed=0).scores(X).tolist()
        [-1.0, 1.0]
    """
    return probes.register(name, origin=calling_module())
