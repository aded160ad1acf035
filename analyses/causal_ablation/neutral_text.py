"""What interventions do to text that they have no business with: the unconstrained twins' own responses.

The responses are read, not written again (teacher forcing), with the hooks where they are in generation. At
each token the distribution of the next one is compared with the intact model's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from if_circuits.activations.source import ActivationSource
from if_circuits.activations.teacher_forcing import read_logits
from if_circuits.analyses.shared.labelled_tasks import query_codes, query_halves
from if_circuits.interventions.hooks import Intervention
from if_circuits.models.reading import reading
from if_circuits.progress import Report

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel

TEXTS = 16
"""Texts of each half, each of another base query."""
_BATCHES = 4
"""A batch is so many times smaller than in generation, since it holds the logits of whole texts."""


def choose_texts(source: ActivationSource, *, half: int, seed: int) -> pd.DataFrame:
    """Up to `TEXTS` responses to unconstrained prompts of one half, one a base query, that are not empty."""
    ours = query_halves(source, seed=seed)[query_codes(source)] == half
    responses = source.responses
    rows = responses[ours & ~responses["constrained"].to_numpy(dtype=bool) & (responses["n_tokens"] > 0)]
    shuffled = rows.sample(frac=1.0, random_state=seed)
    return shuffled.drop_duplicates("base_query").head(TEXTS).reset_index(drop=True)


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts, and what they are read under: a unit of work."""

    table: pd.DataFrame
    """Columns base_query, prompt_tokens, response_tokens; no rows where a study has no unconstrained
    prompts."""
    conditions: Mapping[str, Sequence[Intervention]]
    batch_size: int
    """That of generation."""

    def __str__(self) -> str:
        return f"{len(self.table)} neutral texts under {len(self.conditions)} conditions"


def read_texts(model: LoadedModel, given: Texts, progress: Report | None) -> pd.DataFrame:
    """One row per condition and text: base_query, tokens (of the response), kl and nll, sums over them.

    kl is from the intact model's distribution of the next token to the condition's, in nats; nll is minus the
    log probability of the token that came.
    """
    texts, conditions = given.table, given.conditions
    size = max(1, given.batch_size // _BATCHES)
    order = texts.assign(length=texts["prompt_tokens"].map(len) + texts["response_tokens"].map(len))
    order = order.sort_values("length", kind="stable")
    rows = [pd.DataFrame({name: [] for name in ("condition", "base_query", "tokens", "kl", "nll")})]
    for start in range(0, len(order), size):
        batch = order.iloc[start : start + size]
        prompts = [[int(token) for token in tokens] for tokens in batch["prompt_tokens"]]
        responses = [[int(token) for token in tokens] for tokens in batch["response_tokens"]]
        pairs = list(zip(prompts, responses, strict=True))
        intact = _log_probabilities(model, pairs, ())
        target = torch.tensor([token for _, tokens in pairs for token in tokens], device=intact.device)
        text = np.repeat(np.arange(len(pairs)), [len(tokens) for _, tokens in pairs])
        for number, (name, interventions) in enumerate(conditions.items(), start=1):
            found = _log_probabilities(model, pairs, interventions) if interventions else intact
            kl = (intact.exp() * (intact - found)).sum(-1)
            nll = -found.gather(1, target[:, None])[:, 0]
            rows.append(
                pd.DataFrame(
                    {
                        "condition": name,
                        "base_query": batch["base_query"].to_numpy(),
                        "tokens": [len(tokens) for _, tokens in pairs],
                        "kl": _sums(kl, text, len(pairs)),
                        "nll": _sums(nll, text, len(pairs)),
                    }
                )
            )
            if progress is not None:
                done = start * len(conditions) + len(batch) * number
                progress(done, len(order) * len(conditions))
    return pd.concat(rows if len(rows) == 1 else rows[1:], ignore_index=True)


def _log_probabilities(
    model: LoadedModel,
    pairs: Sequence[tuple[list[int], list[int]]],
    interventions: Sequence[Intervention],
) -> Float[Tensor, "tokens vocabulary"]:
    """Log probabilities before each token of each response, one response after another."""
    with reading(model):
        logits = read_logits(model, pairs, interventions=interventions)
    before = [
        logits[row, len(prompt) - 1 : len(prompt) + len(response) - 1]
        for row, (prompt, response) in enumerate(pairs)
    ]
    return torch.cat(before).float().log_softmax(-1)


def _sums(
    values: Float[Tensor, " tokens"], text: Int[np.ndarray, " tokens"], n: int
) -> Float[np.ndarray, " n"]:
    return np.bincount(text, weights=values.double().cpu().numpy(), minlength=n)
