"""Activations in memory, as a store on disk has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from if_circuits.activations.manifest import CaptureKey
from if_circuits.activations.plan import CapturePlan
from if_circuits.activations.positions import POSITIONS
from if_circuits.activations.precision import from_stored, held_as, to_stored
from if_circuits.activations.store import check_captured
from if_circuits.errors import InputError

_SHARE = 0.8
"""Of the free memory, what activations may take."""


@dataclass(frozen=True, eq=False)
class MemoryStore:
    """A finished capture in memory."""

    key: CaptureKey
    plan: CapturePlan
    not_finite: tuple[str, ...]
    """Ids of the responses with an infinite or undefined number at some layer and position."""
    arrays: Mapping[tuple[int, str], Shaped[np.ndarray, "n d_model"]]
    """By layer and position, as the stored type holds them."""

    @property
    def response_ids(self) -> tuple[str, ...]:
        """Ids of the responses, in the order of the rows of `read`."""
        return self.plan.response_ids

    def read(self, layer: int, position: str) -> Float[np.ndarray, "n d_model"]:
        """Residual stream of every response at a layer and position, float32 and not to be written to.

        Rows of responses without the position are NaN. Raises InputError for a layer or position that was not
        captured.
        """
        check_captured(self.key, layer, position)
        return from_stored(self.arrays[layer, position], self.key.dtype)

    def token_indices(self, position: str) -> Int[np.ndarray, " n"]:
        """Absolute place of a position in prompt + response, from 0; -1 where a response lacks it."""
        return self.plan.indices[:, POSITIONS.index(position)]


class MemoryWriter:
    """Takes a capture's batches, in the order of its plan."""

    def __init__(self, key: CaptureKey, plan: CapturePlan) -> None:
        self._key, self._plan = key, plan
        shape = (len(plan.response_ids), key.d_model)
        self._arrays = {
            (layer, position): np.empty(shape, dtype=held_as(key.dtype))
            for layer in key.layers
            for position in key.positions
        }

    def write(
        self, activations: Float[np.ndarray, "batch position d_model"], *, layer: int, row: int
    ) -> None:
        """Keep one layer's activations of a batch, at all positions, from place `row` of the plan's order.

        Raises InputError when a number does not fit the stored type.
        """
        rows = self._plan.order[row : row + len(activations)]
        stored = to_stored(activations, self._key.dtype, layer=layer)
        for number, position in enumerate(self._key.positions):
            self._arrays[layer, position][rows] = stored[:, number]

    def finish(self, not_finite: list[int]) -> MemoryStore:
        """The store; `not_finite` are places in the plan's order."""
        for array in self._arrays.values():
            if len(self._plan.order) < len(array):
                array[:] = array[self._plan.read_as]
            array.flags.writeable = False
        bad = np.isin(self._plan.read_as, self._plan.order[not_finite])
        broken = tuple(self._plan.response_ids[row] for row in np.flatnonzero(bad))
        return MemoryStore(self._key, self._plan, broken, self._arrays)


def check_memory(key: CaptureKey, n_rows: int, free: int | None) -> None:
    """Raise InputError where the activations would not fit into the free bytes."""
    numbers = n_rows * len(key.layers) * len(key.positions) * key.d_model
    needed = numbers * held_as(key.dtype).itemsize
    if free is not None and needed > _SHARE * free:
        raise InputError(
            f"activations of {n_rows} responses at {len(key.layers)} layers take {needed / 2**30:.2f} GiB of "
            f"memory, and {free / 2**30:.2f} are free: give path= to stream them to disk, or fewer layers or "
            "responses"
        )
