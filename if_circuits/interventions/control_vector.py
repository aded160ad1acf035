"""A direction as a control vector of llama.cpp: a GGUF file that its programs add to the residual stream.

    llama-cli -m model.gguf --control-vector formal.gguf

llama.cpp adds `direction.N` behind its block N, counted from 0, at every token of prompt and response. It has
none behind block 0 or at `embed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from if_circuits.errors import InputError
from if_circuits.inputs import as_layers, as_number
from if_circuits.interventions.fitted import Fitted

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel


def save_control_vector(
    direction: Fitted,
    path: str | Path,
    model: LoadedModel,
    *,
    by: float = 1.0,
    layers: int | Sequence[int] | None = None,
) -> None:
    """Write what `.steer(by, layers)` adds as a control vector of llama.cpp.

    It is added to the prompt too, which steering here does only with `Scope(prompt=True)`.

    Args:
        direction: What `fit` gave, with a direction from violated to satisfied.
        path: Where to write the GGUF file.
        model: The model that it was read from.
        by: Standard deviations of the fitted activations; llama.cpp scales it again where it is asked to.
        layers: From 1 on; by default the one at which the direction was read.

    Raises:
        InputError: Without the package gguf, for a fit without a direction, and for layers that llama.cpp has
            no vector for.

    Example:
        >>> import if_circuits as ifc, tempfile
        >>> model = ifc.load_model("if-tiny")
        >>> rows = ifc.respond(model, ifc.prompts("term_inclusion", n=60))
        >>> v = ifc.DifferenceInMeans.fit(ifc.capture(model, rows, layers=3).along_response(layer=3))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ifc.save_control_vector(v, f"{folder}/river.gguf", model, by=2.0)
    """
    try:
        import gguf
    except ModuleNotFoundError as error:
        raise InputError(
            "a control vector is a GGUF file, which the package gguf writes: pip install gguf"
        ) from error
    read = direction.read_at
    if read is None or not read.step.any():
        raise InputError(
            f"{direction.name!r} has no direction to steer along; fit it to activations and labels"
        )
    if layers is None and read.layer is None:
        raise InputError(f"{direction.name!r} was fitted to plain numbers; say at which layers to use it")
    chosen = as_layers(read.layer if layers is None else layers)
    if not all(1 <= layer < model.n_layers for layer in chosen):
        raise InputError(
            f"layers are {chosen}; llama.cpp takes control vectors behind blocks 1 to {model.n_layers - 1} "
            f"of {model.name}"
        )
    if len(read.step) != model.d_model:
        raise InputError(f"{direction.name!r} has d = {len(read.step)}, {model.name} {model.d_model}")
    vector = (as_number(by, "by") * read.step).astype(np.float32)
    writer = gguf.GGUFWriter(str(path), "controlvector")
    writer.add_string("controlvector.model_hint", str(model.hf.config.model_type))
    writer.add_uint32("controlvector.layer_count", len(chosen))
    for layer in chosen:
        writer.add_tensor(f"direction.{layer}", vector)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
