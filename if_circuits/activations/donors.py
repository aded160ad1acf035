"""Recording donors: the residual stream of every token of runs that patching takes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from if_circuits.activations.teacher_forcing import Run, read_layers
from if_circuits.errors import InputError
from if_circuits.inputs import as_layers
from if_circuits.interventions.patching import Donor
from if_circuits.models.layers import EMBED
from if_circuits.models.reading import reading

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel


def record_donor(
    model: LoadedModel, runs: pd.DataFrame, *, layers: int | Sequence[int], name: str = "donor"
) -> Donor:
    """Run the model over prompts with their responses and keep the residual stream of every token.

    `runs` needs the columns prompt_tokens and response_tokens (ids), as the responses of `generate` have
    them; without a response, give an empty list. To patch each of several prompts with its own run, order
    the rows as the prompts. Layers: -1 is `embed`, i the stream after block i.

    Raises InputError for missing columns, no rows, an empty prompt and layers that the model lacks.

    Example:
        >>> import if_circuits as ifc
        >>> model = ifc.load_model("if-tiny")
        >>> rows = ifc.respond(model, ifc.prompts("topic", n=2), temperature=0)
        >>> ifc.record_donor(model, rows, layers=[2, 3], name="on topic")
        on topic, 2 runs
    """
    missing = [column for column in ("prompt_tokens", "response_tokens") if column not in runs.columns]
    if missing or runs.empty:
        raise InputError(
            "a donor needs at least one row and the columns prompt_tokens and response_tokens, "
            f"got {len(runs)} rows with {', '.join(map(str, runs.columns)) or 'no columns'}"
        )
    layers = as_layers(layers)
    if not all(EMBED <= layer < model.n_layers for layer in layers):
        raise InputError(f"a donor needs layers from {EMBED} (embed) to {model.n_layers - 1}, got {layers}")
    texts: list[Run] = list(zip(runs["prompt_tokens"], runs["response_tokens"], strict=True))
    if not all(len(prompt) for prompt, _ in texts):
        raise InputError("a donor's prompt has at least one token, got an empty one")
    kept: dict[int, list[Tensor]] = {layer: [] for layer in sorted(set(layers))}

    def keep(layer: int, x: Float[Tensor, "batch length d_model"]) -> None:
        kept[layer].extend(x.cpu())

    with reading(model):
        for start in range(0, len(texts), model.preset.batch_size):
            read_layers(model, texts[start : start + model.preset.batch_size], list(kept), keep)
    return Donor(
        activations={layer: pad_sequence(rows, batch_first=True) for layer, rows in kept.items()},
        prompt_lengths=torch.tensor([len(prompt) for prompt, _ in texts]),
        lengths=torch.tensor([len(prompt) + len(response) for prompt, response in texts]),
        name=name,
    )
