"""Fitted directions from files, for the model that they were read from.

What a fit's `save` wrote is one safetensors file: the numbers and, as metadata, what they mean, that is the
model's fingerprint, the tasks, layer and position that they were read at, and on how many rows. A direction
of one model is noise in another, so `load_direction` refuses it there unless it is forced.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from if_circuits.errors import InputError
from if_circuits.interventions.fitted import SAVED_FORMAT, FittedErasure, FittedSubspace, ReadAt

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel


def load_direction(
    path: str | Path, model: LoadedModel, *, force: bool = False
) -> FittedSubspace | FittedErasure:
    """A direction, subspace or oblique projection that `save` wrote, for the model that it was read from.

    Args:
        path: The file.
        model: The model that it is to be used in; all of its weights are read, to compare fingerprints.
        force: Load it for another model of the same width, or where the file names none.

    Raises:
        InputError: For a file that is none, for another model unless forced, and for one of another width.

    Example:
        >>> import if_circuits as ifc, tempfile
        >>> model = ifc.load_model("if-tiny")
        >>> rows = ifc.respond(model, ifc.prompts("term_inclusion", n=60))
        >>> v = ifc.DifferenceInMeans.fit(ifc.capture(model, rows, layers=3).along_response(layer=3))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     v.save(f"{folder}/river.safetensors")
        ...     ifc.load_direction(f"{folder}/river.safetensors", model)
        difference in means: rank 1 of 128, read at layer 3, along the response, 60 rows of 60 groups
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata: dict[str, str] = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read as a direction: {error}") from error
    if metadata.get("format") != SAVED_FORMAT:
        raise InputError(f"{path} is no direction that this library saved; `.save(path)` of a fit writes one")
    told: dict[str, Any] = json.loads(metadata["read_at"])
    if len(tensors["mean"]) != model.d_model:
        raise InputError(
            f"{path} is for models with d_model = {len(tensors['mean'])}; {model.name} has {model.d_model}"
        )
    if not force:
        _check_model(path, told.get("fingerprint", ""), model)
    read = None
    if told:
        told = {**told, "tasks": tuple(told["tasks"]), "step": tensors["step"]}
        read = ReadAt(**told)
    kind = FittedErasure if "left" in tensors else FittedSubspace
    arrays = {name: array for name, array in tensors.items() if name != "step"}
    return kind(**arrays, name=metadata["name"], read_at=read)  # pyright: ignore[reportArgumentType]


def _check_model(path: str | Path, fingerprint: str, model: LoadedModel) -> None:
    if not fingerprint:
        raise InputError(
            f"{path} names no model, since it was fitted to plain numbers; load it with force=True if it "
            f"belongs to {model.name}"
        )
    if fingerprint != (own := model.fingerprint):
        raise InputError(
            f"{path} was read from the model with fingerprint {fingerprint[:12]}, and {model.name} has "
            f"{own[:12]}: a direction means nothing in other weights; load_direction(..., force=True) takes "
            "it all the same"
        )
