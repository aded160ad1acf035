"""Capture: the activations of every response, streamed to disk, batch by batch and shard by shard.

Memory is that of one batch. An interruption costs the shard that was being written: the same call goes on
after the last finished one, and the files equal those of a capture that was never interrupted.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Int

from if_circuits.activations.manifest import (
    INDEX_FILE,
    MANIFEST_FILE,
    CaptureKey,
    Manifest,
    ShardEntry,
    StoredDtype,
    differences,
    read_manifest,
    shard_name,
    write_manifest,
)
from if_circuits.activations.plan import CapturePlan, plan_capture
from if_circuits.activations.positions import POSITIONS
from if_circuits.activations.replay import passes, replay
from if_circuits.activations.shards import write_shard
from if_circuits.activations.store import ActivationStore, is_intact
from if_circuits.errors import InputError
from if_circuits.generation.batches import in_batches
from if_circuits.io.digest import file_sha256, value_sha256
from if_circuits.io.durable import durable_file
from if_circuits.models.layers import EMBED

if TYPE_CHECKING:
    from if_circuits.interventions.hooks import Intervention
    from if_circuits.models.loading import LoadedModel

SHARD_BYTES = 256 * 2**20
"""Size that shards do not exceed: what an interruption can cost. They are never held in memory."""


def capture(
    model: "LoadedModel",
    sequences: pd.DataFrame,
    *,
    directory: Path,
    batch_size: int,
    layers: Sequence[int] | None = None,
    dtype: StoredDtype = "float32",
    interventions: "Sequence[Intervention]" = (),
    shard_bytes: int = SHARD_BYTES,
    progress: Callable[[int, int], None] | None = None,
) -> ActivationStore:
    """Read the residual stream of every response at the twelve positions into `directory`, and open it.

    `sequences` has the columns response_id, prompt_tokens, response_tokens, n_tokens and truncated.
    `layers` are all by default (-1 is `embed`). Under `interventions` the responses are replayed with their
    hooks in place. `progress` is told (rows done, rows in all).

    Finished shards in `directory` are checked and kept; missing and damaged ones are made again. Raises
    InputError for unusable sequences or layers, for numbers that `dtype` cannot hold, and when `directory`
    holds another capture, which is left as it is.
    """
    plan = plan_capture(sequences)
    chosen = _check_layers(layers, model.n_layers)
    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1, got {batch_size}")
    row_bytes = len(chosen) * len(POSITIONS) * model.d_model * np.dtype(dtype).itemsize
    key = CaptureKey(
        model=model.name,
        fingerprint=model.fingerprint,
        compute_dtype=model.dtype,
        n_layers=model.n_layers,
        d_model=model.d_model,
        layers=chosen,
        positions=POSITIONS,
        dtype=dtype,
        rows_per_shard=max(1, shard_bytes // row_bytes),
        sequences=plan.sha256(),
        interventions=value_sha256(tuple(interventions)) if interventions else "",
    )
    manifest = _begin(directory, key, plan)
    finished = {shard.file: shard for shard in manifest.shards}
    done = sum(shard.rows for shard in manifest.shards)

    for number, rows in enumerate(plan.shards(key.rows_per_shard)):
        path = directory / shard_name(number)
        if path.name in finished:
            continue
        not_finite: list[int] = []
        with write_shard(path, key, n_rows=len(rows)) as shard:

            def read(places: Sequence[int], rows: Int[np.ndarray, " rows"] = rows) -> list[int]:
                place, broken = places[0], list[int]()
                for batch in passes(model, plan, rows[list(places)]):
                    bad = np.zeros(len(batch), dtype=bool)
                    for layer, activations in replay(
                        model, plan, batch, layers=chosen, interventions=interventions
                    ):
                        shard.write(activations, layer=layer, row=place)
                        bad |= (~np.isfinite(activations).all(axis=2) & plan.has_position(batch)).any(axis=1)
                    broken += (place + np.flatnonzero(bad)).tolist()
                    place += len(batch)
                return broken

            for places, broken in in_batches(range(len(rows)), batch_size, read, what="capture"):
                not_finite += broken
                done += len(places)
                if progress is not None:
                    progress(done, manifest.n_rows)
        finished[path.name] = ShardEntry(path.name, len(rows), file_sha256(path), tuple(not_finite))
        write_manifest(directory, replace(manifest, shards=tuple(v for _, v in sorted(finished.items()))))
    return ActivationStore.open(directory)


def _check_layers(layers: Sequence[int] | None, n_layers: int) -> tuple[int, ...]:
    """The wanted layers in rising order; all of them for None."""
    chosen = tuple(range(EMBED, n_layers)) if layers is None else tuple(sorted(set(layers)))
    if not chosen or chosen[0] < EMBED or chosen[-1] >= n_layers:
        raise InputError(
            f"layers {layers!r} do not fit a model of {n_layers} blocks: {EMBED} to {n_layers - 1} exist"
        )
    return chosen


def _begin(directory: Path, key: CaptureKey, plan: CapturePlan) -> Manifest:
    """Start a store, or check that the one in `directory` is of the same capture; keep its intact shards."""
    directory.mkdir(parents=True, exist_ok=True)
    index_path = directory / INDEX_FILE
    if (directory / MANIFEST_FILE).exists():
        found = read_manifest(directory)
        if difference := differences(found.key, key):
            raise InputError(
                f"{directory} holds another capture of activations ({difference}): choose another directory"
            )
        intact = tuple(shard for shard in found.shards if is_intact(directory / shard.file, shard.sha256))
    elif strangers := sorted(path.name for path in directory.glob("shard-*")):
        raise InputError(f"{directory} holds {strangers[0]} but no {MANIFEST_FILE}; choose another directory")
    else:
        intact = ()
    with durable_file(index_path) as partial:
        plan.index(key.rows_per_shard).to_parquet(partial, index=False)
    manifest = Manifest(key, len(plan.order), file_sha256(index_path), intact)
    write_manifest(directory, manifest)
    return manifest
