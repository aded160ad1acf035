"""Removal of the difference in means: project out the line between the class means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped

from if_circuits.erasure.base import erasure_method
from if_circuits.erasure.fits import fits
from if_circuits.erasure.labelled import checked
from if_circuits.interventions.fitted import FittedSubspace


@erasure_method("mean_difference")
@dataclass(frozen=True)
class DifferenceInMeans:
    """The rank-one orthogonal projection that makes the class means equal.

    By theorem 3.1 of LEACE (Belrose et al. 2023) no linear probe can then beat a constant on the
    fitting data. It changes activations more than LEACE does, but is an orthogonal projection.

    Example:
        >>> import if_circuits as ifc
        >>> model = ifc.load_model("if-tiny")
        >>> rows = ifc.respond(model, ifc.prompts("term_inclusion", n=60))
        >>> v = ifc.DifferenceInMeans.fit(ifc.capture(model, rows, layers=3).along_response(layer=3))
        >>> v
        difference in means: rank 1 of 128, read at layer 3, along the response, 60 rows of 60 groups
        >>> v.ablate()
        ProjectOut(difference in means, rank 1, alpha=1) at 3; generated
        >>> v.steer(by=2.0).scope == ifc.Scope()
        True
    """

    name: str = "difference in means"

    @fits
    def fit(
        self,
        X: Float[np.ndarray, "n d"],
        y: Bool[np.ndarray, " n"],
        *,
        groups: Shaped[np.ndarray, " n"],  # noqa: ARG002  (of the protocol; nothing is held out here)
        seed: int,  # noqa: ARG002
    ) -> FittedSubspace:
        """The line from the negative to the positive mean, centred on the mean; rank 0 if they coincide."""
        X, y = checked(X, y, method=self.name)
        difference = X[y].mean(axis=0) - X[~y].mean(axis=0)
        return FittedSubspace.orthonormalise(difference[None], mean=X.mean(axis=0), name=self.name)
