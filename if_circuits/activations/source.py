"""What analyses see of a study: verified responses, and the activations that belong to them row by row."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from jaxtyping import Float

from if_circuits.activations.store import ActivationStore
from if_circuits.errors import InputError
from if_circuits.tasks.task import Verdict


class ActivationSource(Protocol):
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

    def features(self, layer: int, position: str) -> Float[np.ndarray, "n d_model"]:
        """Activations of each row of `responses`, float32; NaN rows where the position does not exist."""
        ...


NOT_FINITE = "activations are not finite"
"""The reason of a verdict that an analysis cannot use, since the model overflowed on the response."""


class StudyActivations:
    """Captured activations of verified responses: an `ActivationSource`."""

    def __init__(
        self,
        responses: pd.DataFrame,
        store: ActivationStore,
        *,
        base_queries: Sequence[str] | None = None,
        counterfactual: "StudyActivations | None" = None,
    ) -> None:
        """`responses` may be any part of the captured responses, in any order.

        A response whose activations are not finite becomes undecided, with `NOT_FINITE` as the reason: it
        trains and tests nothing, and is counted. `base_queries` are by default those of the responses. Raises
        InputError when the store lacks one of the responses.
        """
        place = {name: row for row, name in enumerate(store.response_ids)}
        unknown = [name for name in responses["response_id"] if name not in place]
        if unknown:
            raise InputError(
                f"{store.directory} has no activations of {len(unknown)} of {len(responses)} responses, "
                f"such as {unknown[0]!r}: capture them first"
            )
        self.responses = _without_broken(responses.reset_index(drop=True), set(store.not_finite))
        self.base_queries = tuple(
            sorted(set(responses["base_query"] if base_queries is None else base_queries))
        )
        self.counterfactual = counterfactual
        self._store = store
        self._rows = np.array([place[name] for name in responses["response_id"]], dtype=np.int64)

    @property
    def layers(self) -> tuple[int, ...]:
        """Captured layers."""
        return self._store.layers

    @property
    def positions(self) -> tuple[str, ...]:
        """Captured positions."""
        return self._store.positions

    @property
    def n_layers(self) -> int:
        """Blocks of the model."""
        return self._store.n_layers

    def features(self, layer: int, position: str) -> Float[np.ndarray, "n d_model"]:
        """Activations of each response, float32; NaN rows where the position does not exist.

        Raises InputError for a layer or position that was not captured.
        """
        activations = self._store.read(layer, position)
        everything = np.array_equal(self._rows, np.arange(len(activations)))
        return activations if everything else activations[self._rows]


def _without_broken(responses: pd.DataFrame, broken: set[str]) -> pd.DataFrame:
    where = responses["response_id"].isin(list(broken))
    if not where.any():
        return responses
    verdict = responses["verdict"].where(~where, Verdict.UNDECIDED.value)
    reasons = responses["reason"] if "reason" in responses else pd.Series("", index=responses.index)
    return responses.assign(verdict=verdict, reason=reasons.where(~where, NOT_FINITE))
