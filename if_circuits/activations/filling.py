"""Filling a store: rows of a plan are read batch by batch, and written where they belong.

A shard is a unit of an engine: whoever fills it sees the directory that it lies in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from jaxtyping import Float, Int

from if_circuits.activations.manifest import CaptureKey, ShardEntry
from if_circuits.activations.plan import CapturePlan
from if_circuits.activations.shards import write_shard
from if_circuits.activations.teacher_forcing import passes, read_positions
from if_circuits.generation.batches import in_batches
from if_circuits.io.digest import file_sha256
from if_circuits.models.reading import reading
from if_circuits.progress import Report

if TYPE_CHECKING:
    from if_circuits.interventions.hooks import Intervention
    from if_circuits.models.loading import LoadedModel


class Writer(Protocol):
    """Where batches of activations go."""

    def write(
        self, activations: Float[np.ndarray, "batch position d_model"], *, layer: int, row: int
    ) -> None:
        """Take one layer's activations of a batch, whose first row is the `row`th."""
        ...


@dataclass(frozen=True, eq=False)
class Filling:
    """Rows to be read, and how."""

    plan: CapturePlan
    """Of these rows: all of its order are read."""
    key: CaptureKey
    batch_size: int
    interventions: tuple[Intervention, ...]

    def part(self, rows: Int[np.ndarray, " rows"]) -> Filling:
        """Some rows of the plan, in that order, alone."""
        return replace(self, plan=self.plan.part(rows))


@dataclass(frozen=True, eq=False)
class Shard:
    """A shard to be written: a unit of work."""

    path: Path
    filling: Filling

    def __str__(self) -> str:
        return f"{self.path.name}, {len(self.filling.plan.order)} rows"


def fill_shard(model: LoadedModel, shard: Shard, progress: Report | None) -> ShardEntry:
    """Write a shard; gives what the manifest says of it."""
    n_rows = len(shard.filling.plan.order)
    with write_shard(shard.path, shard.filling.key, n_rows=n_rows) as writer:
        not_finite = fill(model, shard.filling, writer, progress)
    return ShardEntry(shard.path.name, n_rows, file_sha256(shard.path), tuple(not_finite))


def fill(model: LoadedModel, filling: Filling, writer: Writer, progress: Report | None) -> list[int]:
    """Read the rows and write them; gives the places of those that are not finite."""
    plan = filling.plan

    def read(places: Sequence[int]) -> list[int]:
        place, broken = places[0], list[int]()
        for batch in passes(model, plan, plan.order[list(places)]):
            bad = np.zeros(len(batch), dtype=bool)
            for layer, activations in read_positions(
                model, plan, batch, layers=filling.key.layers, interventions=filling.interventions
            ):
                writer.write(activations, layer=layer, row=place)
                finite = np.isfinite(activations).all(axis=2)
                bad |= (~finite & plan.has_position(batch)).any(axis=1)
            broken += (place + np.flatnonzero(bad)).tolist()
            place += len(batch)
        return broken

    not_finite, n_rows = list[int](), len(plan.order)
    with reading(model):
        for places, broken in in_batches(range(n_rows), filling.batch_size, read, what="capture"):
            not_finite += broken
            if progress is not None:
                progress(places[-1] + 1, n_rows)
    return not_finite
