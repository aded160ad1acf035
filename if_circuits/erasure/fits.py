"""`fit` as users call it: on a method or on its class, with activations of a layer and position or
with arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import update_wrapper
from typing import Any, Generic, Protocol, TypeVar, cast

import numpy as np
from jaxtyping import Bool, Float, Shaped

from if_circuits.errors import InputError
from if_circuits.input_arrays import as_array, as_groups, as_labels
from if_circuits.interventions.fitted import Fitted, FittedErasure, FittedSubspace, ReadAt
from if_circuits.interventions.operations import Add
from if_circuits.interventions.subspace import AffineErasure, Subspace

Found = TypeVar("Found", bound="FittedSubspace | FittedErasure")


class LabelledActivations(Protocol):
    """Activations of one layer and position with their labels: what `acts.at` gives."""

    @property
    def X(self) -> Float[np.ndarray, "n d_model"]:
        """One row a response."""
        ...

    @property
    def labels(self) -> Bool[np.ndarray, " n"]:
        """Whether each response satisfies its constraint."""
        ...

    @property
    def groups(self) -> Shaped[np.ndarray, " n"]:
        """The base query of each response."""
        ...

    @property
    def layer(self) -> int:
        """-1 is `embed`, i the residual stream after block i."""
        ...

    @property
    def position(self) -> str:
        """Where in the responses they were read."""
        ...


class _Fits(Generic[Found]):
    """Binds `fit` to the method, or to the class's default one."""

    def __init__(self, fit: Callable[..., Found]) -> None:
        update_wrapper(cast(Any, self), fit)
        self._fit = fit

    def __get__(self, method: object | None, kind: type[Any]) -> Fit[Found]:
        return Fit(self._fit, kind() if method is None else method)


class Fit(Generic[Found]):
    """The `fit` of one configured method."""

    def __init__(self, fit: Callable[..., Found], method: Any) -> None:
        update_wrapper(cast(Any, self), fit)
        self._fit, self._method = fit, method

    def __call__(
        self,
        X: LabelledActivations | Float[np.ndarray, "n d_model"],
        y: Bool[np.ndarray, " n"] | None = None,
        *,
        groups: Shaped[np.ndarray, " n"] | None = None,
        seed: int = 0,
    ) -> Found:
        layer, position, given = None, None, cast(Any, X)
        fingerprint, tasks = str(getattr(X, "fingerprint", "")), tuple(getattr(X, "tasks", ()))
        if y is None:
            if not all(hasattr(X, name) for name in ("X", "labels", "groups")):
                raise InputError(
                    f"{self._method.name} is fitted to activations with labels: give "
                    "acts.at(layer=3, position='last'), or X [n, d_model], y [n] and groups=[n]"
                )
            layer, position = given.layer, given.position
            given, y, groups = given.X, given.labels, given.groups
        if groups is None:
            raise InputError(
                f"{self._method.name} needs groups: the base query, or other unit, of each row; rows of one "
                "group are never split"
            )
        array, labels, units = (
            as_array(given, "X", shape="n d_model"),
            as_labels(y, f"y of {self._method.name}"),
            as_groups(groups),
        )
        if len(labels) != len(array) or len(units) != len(array):
            raise InputError(
                f"{self._method.name} needs a label and a group for each of {len(array)} rows of X, got "
                f"{len(labels)} labels and {len(units)} groups"
            )
        found = _fitted(self._fit(self._method, array, labels, groups=units, seed=seed))
        if not isinstance(found, FittedSubspace | FittedErasure):
            return found  # an erasure of another kind: it removes from arrays, and has no place in a model
        n_groups = len(np.unique(units.astype(str)))
        read_at = ReadAt(
            layer, position, len(array), n_groups, _step(found, array, labels), fingerprint, tasks
        )
        return cast(Any, replace(found, read_at=read_at))


def _fitted(found: Any) -> Any:
    """A plain erasure as one that knows where it was read."""
    for plain, fitted in ((Subspace, FittedSubspace), (AffineErasure, FittedErasure)):
        if isinstance(found, plain) and not isinstance(found, Fitted):
            return fitted(**{item.name: getattr(found, item.name) for item in fields(plain)})
    return found


def _step(
    found: Fitted, X: Float[np.ndarray, "n d_model"], y: Bool[np.ndarray, " n"]
) -> Float[np.ndarray, " d_model"]:
    """One standard deviation of X along what the fit takes of the difference in means."""
    eraser = cast(Any, found)
    difference = X[y].mean(axis=0, dtype=np.float64) - X[~y].mean(axis=0, dtype=np.float64)
    taken = difference - (eraser.remove(difference) - eraser.remove(np.zeros_like(difference)))
    if np.linalg.norm(taken) <= 1e-9 * np.linalg.norm(difference) or len(X) < 2:
        return np.zeros_like(difference)
    return Add.in_deviations(taken, X, multiple=1.0).direction


def fits(fit: Callable[..., Found]) -> Fit[Found]:
    """Makes a method's `fit(X, y, *, groups, seed)` callable on the class, which stands for its defaults, and
    with what `acts.at` gives; what it finds then knows where it was read."""
    # The descriptor gives a `Fit` wherever it is asked for, which is all that callers see.
    return cast("Fit[Found]", _Fits(fit))


def make_fittable(kind: type[Any]) -> None:
    """Lets the `fit` of a class be called as `fits` says, whether or not it was written so."""
    if not isinstance(vars(kind).get("fit"), _Fits):
        kind.fit = _Fits(kind.fit)
