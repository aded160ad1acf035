"""Capture: the activations of every response, in memory or streamed to disk, batch by batch.

On disk, memory is that of one batch. An interruption costs the shard that was being written: the same call
goes on after the last finished one, and the files equal those of a capture that was never interrupted. What
is found there is kept only where all that decides the numbers is the same; see docs/cached_activations.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import pandas as pd
import torch

from if_circuits.activations.captured import CapturedActivations
from if_circuits.activations.dtypes import StoredDtype, stored_dtype
from if_circuits.activations.filling import Filling, Shard, fill, fill_shard
from if_circuits.activations.manifest import (
    INDEX_FILE,
    MANIFEST_FILE,
    CaptureKey,
    Manifest,
    differences,
    read_manifest,
    shard_name,
    write_manifest,
)
from if_circuits.activations.memory import MemoryStore, MemoryWriter, check_memory
from if_circuits.activations.plan import CapturePlan, plan_capture
from if_circuits.activations.positions import POSITIONS
from if_circuits.activations.precision import held_as
from if_circuits.activations.store import ActivationStore, is_intact
from if_circuits.activations.teacher_forcing import usual_reading_size
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.errors import InputError
from if_circuits.inputs import as_layers
from if_circuits.io.digest import file_sha256, value_sha256
from if_circuits.io.durable import durable_file
from if_circuits.models.layers import EMBED
from if_circuits.models.memory import free_memory
from if_circuits.models.state import hooks_in_place, settings_sha256
from if_circuits.models.workers import on_model
from if_circuits.progress import Progress, Report, reporting

if TYPE_CHECKING:
    from if_circuits.interventions.hooks import Intervention
    from if_circuits.models.loading import LoadedModel

SHARD_BYTES = 256 * 2**20
"""Size that shards do not exceed: what an interruption can cost. They are never held in memory."""

Layers: TypeAlias = Literal["all"] | int | Sequence[int]
"""-1 is `embed`, i the stream after block i."""


def capture(
    model: LoadedModel,
    rows: pd.DataFrame,
    *,
    layers: Layers | None = "all",
    path: str | Path | None = None,
    batch_size: int | None = None,
    dtype: StoredDtype | Literal["model"] = "float32",
    interventions: Sequence[Intervention] = (),
    state: str = "",
    shard_bytes: int = SHARD_BYTES,
    engine: Engine = IN_PROCESS,
    progress: Progress = None,
) -> CapturedActivations:
    """Read the residual stream of every response at the twelve positions, by teacher forcing.

    Args:
        model: The model; read as it is now, in evaluation mode.
        rows: Responses with the columns response_id, prompt_tokens, response_tokens, n_tokens and truncated,
            as `generate` gives them; rows with the same value of a column answer are read once. Labels need
            the columns verdict and base_query as well.
        layers: "all" (or None, as in a preset), one layer, or several; -1 is `embed`.
        path: A directory to stream to; by default the activations stay in memory. Finished shards there are
            checked and kept where they are of the same capture; missing and damaged ones are made again.
        batch_size: Responses read side by side; by default the preset's number, or fewer where they would
            not fit into the free memory of a GPU.
        dtype: Type of the stored numbers: float32, float16 or bfloat16; "model" is the type of the model's
            weights. Analyses read them as float32.
        interventions: In place while the responses are read, as they were in generation.
        state: What hooks of your own make of the model. Activations on disk need it where there are such
            hooks, and belong to it from then on.
        shard_bytes: Size that a file on disk does not exceed.
        engine: What fills the files on disk: its workers must see `path`.
        progress: None for a bar in notebooks and terminals; True, False, or a function of (done, in all).

    Returns:
        The responses with their activations, row by row.

    Raises:
        InputError: Unusable rows, layers or `dtype`, numbers that `dtype` cannot hold, too little memory,
            hooks without a state, or a `path` that holds another capture, which is left as it is.

    Example:
        >>> import if_circuits as ifc
        >>> model = ifc.load_model("if-tiny")
        >>> rows = ifc.respond(model, ifc.prompts("word_count", n=8), temperature=0)
        >>> ifc.capture(model, rows, layers=[2, 3])
        CapturedActivations(if-tiny: 8 responses, 2 layers, 12 positions, d 128)
    """
    plan = plan_capture(rows)
    chosen = _check_layers(layers, model.n_layers)
    if batch_size is None:
        batch_size = usual_reading_size(model, length=len(plan.tokens(plan.order[0])), n_layers=len(chosen))
    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1, got {batch_size}")
    stored_as = stored_dtype(dtype, of_model=model.dtype)
    row_bytes = len(chosen) * len(POSITIONS) * model.d_model * held_as(stored_as).itemsize
    key = CaptureKey(
        model=model.name,
        fingerprint=model.fingerprint,
        compute_dtype=model.dtype,
        device=torch.device(model.device).type,
        attention=str(getattr(model.hf.config, "_attn_implementation", "")),
        settings=settings_sha256(model.bridge),
        hooks=hooks_in_place(model.bridge),
        state=state,
        n_layers=model.n_layers,
        d_model=model.d_model,
        layers=chosen,
        positions=POSITIONS,
        dtype=stored_as,
        rows_per_shard=len(plan.order) if path is None else max(1, shard_bytes // row_bytes),
        sequences=plan.sha256(),
        interventions=value_sha256(tuple(interventions)) if interventions else "",
    )
    filling = Filling(plan, key, batch_size, tuple(interventions))
    with reporting(progress, "activations") as report:
        if path is None:
            store = _in_memory(model, filling, report)
        else:
            store = _on_disk(model, filling, Path(path), engine, report)
    return CapturedActivations(rows, store)


def _in_memory(model: LoadedModel, filling: Filling, progress: Report | None) -> MemoryStore:
    """All rows, in one store in memory."""
    check_memory(filling.key, len(filling.plan.response_ids), free_memory("cpu"))
    writer = MemoryWriter(filling.key, filling.plan)
    return writer.finish(fill(model, filling, writer, progress))


def _on_disk(
    model: LoadedModel, filling: Filling, directory: Path, engine: Engine, progress: Report | None
) -> ActivationStore:
    """The shards that are not finished in the directory."""
    _check_state(filling.key)
    manifest = _begin(directory, filling.key, filling.plan)
    finished = {shard.file: shard for shard in manifest.shards}
    shards = [
        Shard(directory / shard_name(number), filling.part(rows))
        for number, rows in enumerate(filling.plan.shards(filling.key.rows_per_shard))
        if shard_name(number) not in finished
    ]
    before, in_all = sum(shard.rows for shard in manifest.shards), len(filling.plan.order)
    filled = on_model(
        engine,
        model,
        fill_shard,
        shards,
        sizes=[len(shard.filling.plan.order) for shard in shards],
        progress=progress and (lambda done, _: progress(before + done, in_all)),
    )
    for entry in filled:
        finished[entry.file] = entry
        write_manifest(directory, replace(manifest, shards=tuple(v for _, v in sorted(finished.items()))))
    return ActivationStore.open(directory)


def _check_state(key: CaptureKey) -> None:
    """Refuse a model that somebody's hooks change, unless the user says what that is to be called."""
    if key.hooks and not key.state:
        shown = "; ".join(key.hooks[:3]) + ("; ..." if len(key.hooks) > 3 else "")
        raise InputError(
            f"{key.model} has {len(key.hooks)} hook(s) beside the capture's own ({shown}), so activations on "
            "disk could later be taken for the model's: remove them, give `interventions`, or name the "
            'state, as in state="halved at layer 3"'
        )


def _check_layers(layers: Layers | None, n_layers: int) -> tuple[int, ...]:
    """The wanted layers in rising order."""
    if layers is None or layers == "all":
        return tuple(range(EMBED, n_layers))
    chosen = tuple(sorted(set(as_layers(layers))))
    if chosen[0] < EMBED or chosen[-1] >= n_layers:
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
