"""The two optimisers of the training, their schedule, and their state on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


class Optimisation:
    """Muon for the matrices, AdamW for embeddings and norms, both warmed up and then decayed to zero
    linearly.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        learning_rate: float,
        muon_learning_rate: float,
        warmup_steps: int,
        steps: int,
    ) -> None:
        named = list(model.named_parameters())
        matrices = [p for name, p in named if p.ndim == 2 and "embed" not in name]
        others = [p for name, p in named if p.ndim != 2 or "embed" in name]
        self._model = model
        self._optimizers: tuple[torch.optim.Optimizer, ...] = (
            torch.optim.AdamW(others, lr=learning_rate, betas=(0.9, 0.98)),
            torch.optim.Muon(matrices, lr=muon_learning_rate, weight_decay=0.0),
        )
        self._peaks = (learning_rate, muon_learning_rate)
        self._warmup_steps, self._steps = warmup_steps, steps
        self._done = 0

    def step(self, loss: Tensor) -> float:
        """One step down the gradient of `loss`; gives its value."""
        loss.backward()
        nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        left = (self._steps - self._done) / (self._steps - self._warmup_steps)
        share = min((self._done + 1) / self._warmup_steps, max(0.0, left))
        for optimizer, peak in zip(self._optimizers, self._peaks, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = peak * share
            optimizer.step()
            optimizer.zero_grad()
        self._done += 1
        return loss.item()

    def save(self, path: Path) -> None:
        """Write parameters and optimiser states, so that `load` goes on from here."""
        tensors = {"done": torch.tensor(self._done)}
        tensors |= {f"parameter/{name}": value.detach() for name, value in self._model.named_parameters()}
        for number, optimizer in enumerate(self._optimizers):
            for parameter, state in optimizer.state_dict()["state"].items():
                for key, value in state.items():
                    tensors[f"optimizer/{number}/{parameter}/{key}"] = torch.as_tensor(value)
        beside = path.with_suffix(".partial")
        save_file({name: value.contiguous() for name, value in tensors.items()}, beside)
        beside.replace(path)

    def load(self, path: Path) -> None:
        """Bring back what `save` wrote."""
        tensors = load_file(path)
        self._done = int(tensors.pop("done"))
        states: list[dict[int, dict[str, Any]]] = [{} for _ in self._optimizers]
        with torch.no_grad():
            parameters = dict(self._model.named_parameters())
            for name, value in tensors.items():
                kind, rest = name.split("/", 1)
                if kind == "parameter":
                    parameters[rest].copy_(value)
                else:
                    number, parameter, key = rest.split("/")
                    states[int(number)].setdefault(int(parameter), {})[key] = value
        for optimizer, state in zip(self._optimizers, states, strict=True):
            optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
