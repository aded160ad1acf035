"""Log-probabilities of given texts after prompts, under many interventions: which text a model prefers.

Nothing is generated, so it shows small shifts that would change no greedy answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int

from if_circuits.activations.read_from import LowerBlocks
from if_circuits.activations.stems import Stems
from if_circuits.activations.teacher_forcing import Run, rows_per_pass
from if_circuits.errors import InputError
from if_circuits.interventions.hooks import Intervention, intervene
from if_circuits.models.layers import EMBED
from if_circuits.models.padding import pad
from if_circuits.models.reading import reading

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel


def log_probabilities(model: LoadedModel, runs: Sequence[Run]) -> Float[np.ndarray, " runs"]:
    """Log-probability of each text after its prompt, in nats, read as the model is."""
    found = np.zeros(len(runs))
    with reading(model):
        for batch in alike(model, runs):
            found[batch] = ReadPrompts(model, [runs[row] for row in batch]).log_probabilities()
    return found


def alike(model: LoadedModel, runs: Sequence[Run]) -> Iterator[Int[np.ndarray, " batch"]]:
    """Runs that are read side by side, those of like length together, as many as a pass reads well."""
    lengths = np.array([len(prompt) + len(text) for prompt, text in runs])
    order = np.argsort(-lengths, kind="stable")
    while len(order):
        size = rows_per_pass(model, int(lengths[order[0]]))
        yield order[:size]
        order = order[size:]


class ReadPrompts:
    """Prompts that were read up to their last token, each with a text behind it.

    What blocks up to one of `layers` give untouched is kept, so that interventions from there on cost the
    blocks above alone.

    Raises InputError for prompts of one token, and for interventions on earlier tokens of a prompt.
    """

    def __init__(self, model: LoadedModel, runs: Sequence[Run], *, layers: Collection[int] = ()) -> None:
        self._model, self._lengths = model, [len(prompt) for prompt, _ in runs]
        self._below, self._layers = LowerBlocks(model), {at for at in layers if EMBED < at < model.n_layers}
        # Stems are padded before and texts behind, so that in between no token is missing.
        ids, mask = pad([[prompt[-1], *text] for prompt, text in runs], model.chat.pad_id, side="right")
        self._ids, self._mask = ids.to(model.device), mask.to(model.device)
        self._stems = Stems(model, [list(prompt)[:-1] for prompt, _ in runs], room=ids.shape[1])

    def log_probabilities(self, interventions: Sequence[Intervention] = ()) -> Float[np.ndarray, " runs"]:
        """Log-probability of each text after its prompt, in nats; its EOS counts where it has one."""
        if any(each.scope.prompt for each in interventions):
            raise InputError(
                "log-odds take interventions from the prompt's last token on: Scope(prompt=False)"
            )
        lowest = min((layer for each in interventions for layer in each.layers), default=EMBED)
        with ExitStack() as stack:
            stack.enter_context(torch.no_grad())
            stack.enter_context(intervene(self._model, interventions, prompt_lengths=self._lengths))
            stack.enter_context(
                self._below.passed_over(lowest) if interventions else self._below.kept(self._layers)
            )
            logits = self._stems.go_on(self._ids, self._mask)
        # The logits behind a token are those of the next one; padding counts for nothing.
        wanted, there = self._ids[:, 1:], self._mask[:, 1:].bool()
        before = logits[:, :-1].float()
        chosen = before.gather(-1, wanted[..., None])[..., 0] - before.logsumexp(-1)
        return chosen.double().masked_fill(~there, 0.0).sum(dim=1).cpu().numpy()
