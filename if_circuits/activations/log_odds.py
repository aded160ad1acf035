"""Log-probabilities of given texts after prompts, under many interventions: which text a model prefers.

Nothing is generated, so it shows small shifts that would change no greedy answer. What an intervention on a
prompt's last token and its response leaves untouched, the prompt up to there, is read once for all of them.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from if_circuits.activations.teacher_forcing import Run
from if_circuits.errors import InputError
from if_circuits.generation.cache import make_cache
from if_circuits.interventions.hooks import Intervention, intervene
from if_circuits.models.padding import pad

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel


class ReadPrompts:
    """Prompts that were read up to their last token, each with a text behind it.

    Raises InputError for prompts of one token, and for interventions on earlier tokens of a prompt.
    """

    def __init__(self, model: LoadedModel, runs: Sequence[Run]) -> None:
        if min(len(prompt) for prompt, _ in runs) < 2:
            raise InputError("log-odds need prompts of two tokens or more; here is one of fewer")
        self._model, self._hf = model, model.hf
        self._lengths = [len(prompt) for prompt, _ in runs]
        self._texts = [list(text) for _, text in runs]
        device = torch.device(model.device)
        # Prompts are padded before and texts behind, so that in between no token is missing.
        stems, self._stem_mask = (
            part.to(device)
            for part in pad([list(prompt)[:-1] for prompt, _ in runs], model.chat.pad_id, side="left")
        )
        ids, mask = pad([[prompt[-1], *text] for prompt, text in runs], model.chat.pad_id, side="right")
        self._ids, self._mask = ids.to(device), mask.to(device)
        self._cache: Any = make_cache(model.hf.config, stems.shape[1] + ids.shape[1])
        self._run(stems, self._stem_mask, self._cache)

    def log_probabilities(self, interventions: Sequence[Intervention] = ()) -> Float[np.ndarray, " runs"]:
        """Log-probability of each text after its prompt, in nats; its EOS counts where it has one."""
        if any(each.scope.prompt for each in interventions):
            raise InputError(
                "log-odds take interventions from the prompt's last token on: Scope(prompt=False)"
            )
        mask = torch.cat([self._stem_mask, self._mask], dim=1)
        with intervene(self._model, interventions, prompt_lengths=self._lengths):
            logits = self._run(self._ids, mask, copy.deepcopy(self._cache))
        # The logits behind a token are those of the next one; padding counts for nothing.
        wanted, there = self._ids[:, 1:], self._mask[:, 1:].bool()
        before = logits[:, :-1].float()
        chosen = before.gather(-1, wanted[..., None])[..., 0] - before.logsumexp(-1)
        return chosen.double().masked_fill(~there, 0.0).sum(dim=1).cpu().numpy()

    def _run(
        self, ids: Int[Tensor, "batch new"], mask: Int[Tensor, "batch total"], cache: Any
    ) -> Float[Tensor, "batch new vocabulary"]:
        hf: Any = self._hf
        places = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        takes = "position_ids" in inspect.signature(hf.forward).parameters
        with torch.no_grad():
            return hf(
                input_ids=ids,
                attention_mask=mask,
                past_key_values=cache,
                use_cache=True,
                **({"position_ids": places} if takes else {}),
            ).logits
