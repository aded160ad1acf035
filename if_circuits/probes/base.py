"""What a probe is to whoever compares probes: a method that is fitted to activations, and what it fits.

A method is a function, registered by name:

    @probes.register("my-probe")
    def my_probe(X, y, *, groups, seed): ...

Ours are in `methods`. A study fits its logistic probes many at a time, in `across_folds`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Shaped

from if_circuits.registry import Registry


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


probes: Registry[ProbeMethod] = Registry(
    "probe",
    group="if_circuits.probes",
    modules=["if_circuits.probes.methods"],
    expects="a function of (X, y, *, groups, seed) that gives a probe with `scores` and `converged`",
    accepts=callable,
)
