"""Parity: a batch says what its rows say alone, and the cache says what a full pass says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from if_circuits.activations.plan import plan_capture
from if_circuits.activations.teacher_forcing import read_positions
from if_circuits.doctor.base import Check
from if_circuits.doctor.numbers import TOLERANCE, apart
from if_circuits.doctor.probe_prompts import some_rows
from if_circuits.generation.batch import Batch
from if_circuits.models.layers import EMBED
from if_circuits.models.loading import LoadedModel

_STEPS = 4
"""Tokens that are read one by one on top of a cached prompt."""


def check_padding(model: LoadedModel) -> Check:
    """Whether padding changes what a row says: on the left, as in generation; on the right, as in capture."""
    rows = some_rows(model, spare=_STEPS)
    together = _read(model, rows)
    alone = torch.cat([_read(model, [row]) for row in rows])
    left, right = apart(together, alone), _right_padding(model, rows)
    agreement = (together.argmax(-1) == alone.argmax(-1)).float().mean().item()
    seen = (
        f"{len(rows)} prompts in one batch and alone: logits {left:.1e} apart (of the largest), residual "
        f"streams {right:.1e}; the same next token in {agreement:.0%}"
    )
    if not (left <= TOLERANCE[model.dtype] and right <= TOLERANCE[model.dtype]):
        return Check(
            "padding_parity",
            "fail",
            f"{seen}: the model does not honour the attention mask or the positions; use --batch-size 1",
        )
    return Check("padding_parity", "pass", seen)


def check_cache(model: LoadedModel) -> Check:
    """Whether tokens read one by one on a cache give the logits of one pass over all of them."""
    differences: list[float] = []
    for row in some_rows(model, spare=0):
        start = max(1, len(row) - _STEPS)
        ids = torch.tensor([row], device=model.device)
        with torch.no_grad():
            first = torch.zeros(1, dtype=torch.long, device=model.device)
            batch = Batch(model, [row[:start]], first, _STEPS, None)
            cached = [batch.read_prompts(), *(batch.read(ids[:, i]) for i in range(start, len(row)))]
            full = model.hf(input_ids=ids, use_cache=False).logits[0, start - 1 :]
        differences.append(apart(torch.cat(cached), full))
    worst = float(np.max(differences))
    seen = f"cached and uncached logits {worst:.1e} apart (of the largest)"
    if not worst <= TOLERANCE[model.dtype]:
        return Check(
            "cache_parity",
            "fail",
            f"{seen}: responses would not be this model's; report it to TransformerLens or transformers",
        )
    return Check("cache_parity", "pass", seen)


def _read(model: LoadedModel, rows: list[list[int]]) -> torch.Tensor:
    """The logits of each row's next token, from one batch."""
    with torch.no_grad():
        return Batch(model, rows, torch.arange(len(rows), device=model.device), 1, None).read_prompts()


def _right_padding(model: LoadedModel, rows: list[list[int]]) -> float:
    """How far captured residual streams lie apart, in a batch and alone."""
    sequences = pd.DataFrame(
        {
            "response_id": [str(i) for i in range(len(rows))],
            "prompt_tokens": [row[:-1] for row in rows],
            "response_tokens": [row[-1:] for row in rows],
            "n_tokens": 1,
            "truncated": True,
        }
    )
    plan = plan_capture(sequences)
    layers = tuple(range(EMBED, model.n_layers))
    batches = [np.arange(len(rows)), *(np.array([i]) for i in range(len(rows)))]
    together, *singles = [dict(read_positions(model, plan, batch, layers=layers)) for batch in batches]
    differences: list[float] = []
    for layer in layers:
        alone = np.concatenate([single[layer] for single in singles])
        real = ~np.isnan(alone).all(-1)
        differences.append(apart(torch.from_numpy(together[layer][real]), torch.from_numpy(alone[real])))
    return float(np.max(differences))
