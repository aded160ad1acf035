"""What analyses see of a study: verified responses, and the activations that belong to them row by row."""

from typing import Protocol

import numpy as np
import pandas as pd
from jaxtyping import Float

NOT_FINITE = "activations are not finite"
"""The reason of a verdict that an analysis cannot use, since the model overflowed on the response."""


class FeatureReader(Protocol):
    """What reads activations and holds none: it can be handed to another process."""

    def features(self, layer: int, position: str) -> Float[np.ndarray, "n d_model"]:
        """Activations of each response, float32; NaN rows where the position does not exist."""
        ...


class ActivationSource(FeatureReader, Protocol):
    """Responses with their activations, whether captured from a model or simulated."""

    @property
    def responses(self) -> pd.DataFrame:
        """One row per response, with its task, base query, tokens and `verdict`."""
        ...

    @property
    def base_queries(self) -> tuple[str, ...]:
        """Base queries of the whole study, sorted: what folds are dealt over, whichever have a row here."""
        ...

    @property
    def counterfactual(self) -> "ActivationSource | None":
        """The same texts under prompts that they satisfy and under others that they break; two rows a `pair`.

        None where the study has no such pairs.
        """
        ...

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers that can be asked for; -1 is `embed`."""
        ...

    @property
    def positions(self) -> tuple[str, ...]:
        """Positions that can be asked for."""
        ...

    @property
    def n_layers(self) -> int:
        """Blocks of the model, whether captured or not."""
        ...

    @property
    def reader(self) -> FeatureReader:
        """What reads the same activations, without the responses."""
        ...
