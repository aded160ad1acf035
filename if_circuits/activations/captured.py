"""Responses with their activations: what a capture gives, whether in memory or on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from if_circuits.activations.manifest import CaptureKey
from if_circuits.activations.source import NOT_FINITE
from if_circuits.errors import InputError
from if_circuits.tasks.labels import Label, is_satisfied

ALONG_RESPONSE = "along the response"
"""In place of a position, where activations are means over a response."""


class Store(Protocol):
    """Where activations are kept: `ActivationStore` on disk, `MemoryStore` in memory."""

    @property
    def key(self) -> CaptureKey:
        """All that decided the numbers."""
        ...

    @property
    def response_ids(self) -> tuple[str, ...]:
        """Ids of the responses, in the order of the rows of `read`."""
        ...

    @property
    def not_finite(self) -> tuple[str, ...]:
        """Ids of the responses with an infinite or undefined number at some layer and position."""
        ...

    def read(self, layer: int, position: str) -> Float[np.ndarray, "n d_model"]:
        """Residual stream of every response, float32; NaN rows where the position does not exist."""
        ...

    def token_indices(self, position: str) -> Int[np.ndarray, " n"]:
        """Absolute place of a position in prompt + response, from 0; -1 where a response lacks it."""
        ...


@dataclass(frozen=True, eq=False)
class ActivationsAt:
    """Activations at one layer and position, with the labels and groups of their rows: what probes and
    erasers are fitted on.
    """

    X: Float[np.ndarray, "n d_model"]
    """float32, finite."""
    rows: Int[np.ndarray, " n"]
    """Which rows of the responses these are."""
    satisfied: Bool[np.ndarray, " n"] | None
    """Whether each response satisfies its constraint; None where the responses have no verdicts."""
    base_queries: tuple[str, ...] | None
    """The base query of each row, which groups splits and resamples; None where the responses name none."""
    layer: int
    position: str
    fingerprint: str
    """Of the model whose activations these are."""
    tasks: tuple[str, ...] = ()
    """Tasks of the rows, each once."""

    @property
    def labels(self) -> Bool[np.ndarray, " n"]:
        """`satisfied`, where it is known. Raises InputError that says what is missing."""
        if self.satisfied is None:
            raise InputError("the responses have no column verdict, hence no labels: verify them first")
        return self.satisfied

    @property
    def groups(self) -> Int[np.ndarray, " n"]:
        """A number for the base query of each row. Raises InputError where the responses name none."""
        if self.base_queries is None:
            raise InputError("the responses have no column base_query, so there are no groups to split by")
        return np.unique(self.base_queries, return_inverse=True)[1]

    def __repr__(self) -> str:
        n, d = self.X.shape
        known = "" if self.satisfied is None else f", {int(self.satisfied.sum())} satisfied"
        return f"ActivationsAt(layer {self.layer}, {self.position}: {n} rows{known}, d {d})"


@dataclass(frozen=True, eq=False)
class StoredFeatures:
    """Some rows of a store, in an order of their own. It is as small as the store's index, where the store is
    on disk."""

    store: Store
    rows: Int[np.ndarray, " n"]

    def features(self, layer: int, position: str) -> Float[np.ndarray, "n d_model"]:
        """Activations of each row, float32; NaN rows where the position does not exist.

        Raises InputError for a layer or position that was not captured.
        """
        activations = self.store.read(layer, position)
        everything = np.array_equal(self.rows, np.arange(len(activations)))
        return activations if everything else activations[self.rows]


class CapturedActivations:
    """Captured activations of responses, row by row: an `ActivationSource`."""

    def __init__(
        self,
        responses: pd.DataFrame,
        store: Store,
        *,
        base_queries: Sequence[str] | None = None,
        counterfactual: CapturedActivations | None = None,
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
                f"there are no activations of {len(unknown)} of {len(responses)} responses, "
                f"such as {unknown[0]!r}: capture them first"
            )
        self.responses = _without_broken(responses.reset_index(drop=True), set(store.not_finite))
        self.counterfactual = counterfactual
        self.store = store
        self._base_queries = base_queries
        rows = np.array([place[name] for name in responses["response_id"]], dtype=np.int64)
        self.reader = StoredFeatures(store, rows)

    @property
    def base_queries(self) -> tuple[str, ...]:
        """Base queries of the whole study, sorted. Raises InputError where the responses name none."""
        if self._base_queries is None and "base_query" not in self.responses:
            raise InputError("the responses have no column base_query, so there are no groups to split by")
        known = self.responses["base_query"] if self._base_queries is None else self._base_queries
        return tuple(sorted(set(known)))

    @property
    def layers(self) -> tuple[int, ...]:
        """Captured layers; -1 is `embed`."""
        return self.store.key.layers

    @property
    def positions(self) -> tuple[str, ...]:
        """Captured positions."""
        return self.store.key.positions

    @property
    def n_layers(self) -> int:
        """Blocks of the model."""
        return self.store.key.n_layers

    def features(self, layer: int, position: str) -> Float[np.ndarray, "n d_model"]:
        """Activations of each response, float32; NaN rows where the position does not exist.

        Raises InputError for a layer or position that was not captured.
        """
        return self.reader.features(layer, position)

    def at(self, *, layer: int, position: str) -> ActivationsAt:
        """The activations at one place, of the responses that have it.

        Where there are verdicts, undecided responses are left out, and so are those to unconstrained prompts,
        which were not asked for anything. Raises InputError for a layer or position that was not captured.
        """
        X = self.features(layer, position)
        used = np.isfinite(X).all(axis=1)
        decided = "verdict" in self.responses
        if decided:
            verdicts = self.responses["verdict"]
            used &= verdicts.isin([Label.SATISFIED.value, Label.VIOLATED.value]).to_numpy()
            if "constrained" in self.responses:
                used &= self.responses["constrained"].to_numpy(dtype=bool)
        rows = np.flatnonzero(used)
        kept = self.responses.iloc[rows]
        return ActivationsAt(
            X=X[rows],
            rows=rows,
            satisfied=is_satisfied(kept) if decided else None,
            base_queries=tuple(map(str, kept["base_query"])) if "base_query" in kept else None,
            layer=layer,
            position=position,
            fingerprint=self.store.key.fingerprint,
            tasks=tuple(dict.fromkeys(map(str, kept["task"]))) if "task" in kept else (),
        )

    def along_response(self, *, layer: int) -> ActivationsAt:
        """The activations at one layer of each response as a whole: the mean over its 10 % to 90 % positions.

        What is fitted to these means the label and not the end of a response, as at "last" or "eos" it may;
        it suits interventions that act at every generated token. Rows are chosen as in `at`.

        Example:
            >>> import if_circuits as ifc
            >>> model = ifc.load_model("if-tiny")
            >>> acts = ifc.capture(model, ifc.respond(model, ifc.prompts("topic", n=8), temperature=0))
            >>> acts.along_response(layer=3).position
            'along the response'
        """
        inside = [position for position in self.positions if position.endswith("%")]
        # A response has all of these positions or, where it is empty, none.
        places = [self.at(layer=layer, position=position) for position in inside]
        mean = np.mean([place.X for place in places], axis=0, dtype=np.float32)
        return replace(places[0], X=mean, position=ALONG_RESPONSE)

    def __repr__(self) -> str:
        key = self.store.key
        return (
            f"CapturedActivations({key.model}: {len(self.responses)} responses, {len(key.layers)} layers, "
            f"{len(key.positions)} positions, d {key.d_model})"
        )


def _without_broken(responses: pd.DataFrame, broken: set[str]) -> pd.DataFrame:
    where = responses["response_id"].isin(list(broken))
    if not where.any() or "verdict" not in responses:
        return responses
    verdict = responses["verdict"].where(~where, Label.UNDECIDED.value)
    reasons = responses["reason"] if "reason" in responses else pd.Series("", index=responses.index)
    return responses.assign(verdict=verdict, reason=reasons.where(~where, NOT_FINITE))
