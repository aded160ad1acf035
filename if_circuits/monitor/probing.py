"""Reads the newest token of every row under all probes of a study: a copy a layer and pass, and one product
for all passes since the last look."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from if_circuits.analyses.shared.token_probes import TokenProbes
from if_circuits.models.layers import hook_name

if TYPE_CHECKING:
    from if_circuits.analyses.shared.word_probe import WordProbe
    from if_circuits.models.loading import LoadedModel


class LiveProbes:
    """The probes of all layers and tasks, folded into one array: w·(x - mean)/scale + b is a·x + c."""

    def __init__(self, probes: TokenProbes, device: str) -> None:
        self.layers, self.tasks = tuple(sorted(probes.layers)), probes.tasks
        shape = (len(self.layers), len(self.tasks))
        weights = [
            [probes.probes[task, layer].weight / probes.probes[task, layer].scale for task in self.tasks]
            for layer in self.layers
        ]
        offsets = np.zeros(shape)
        for i, layer in enumerate(self.layers):
            for j, task in enumerate(self.tasks):
                probe = probes.probes[task, layer]
                offsets[i, j] = probe.bias - float(weights[i][j] @ probe.mean)
        self._weights = torch.from_numpy(np.array(weights, dtype=np.float32)).to(device)
        self._offsets = torch.from_numpy(offsets.astype(np.float32)).to(device)
        self._taken: list[list[Float[Tensor, "batch d_model"]]] = [[] for _ in self.layers]

    @contextmanager
    def watching(self, model: LoadedModel) -> Generator[None]:
        """Copy the newest token of each layer as it passes; hooks are removed at the end."""
        for each in self._taken:
            each.clear()
        taps = [(hook_name(layer), self._tap(i)) for i, layer in enumerate(self.layers)]
        with model.bridge.hooks(fwd_hooks=taps if self.tasks else []):
            yield

    def read(self) -> Float[np.ndarray, "passes batch layers tasks"]:
        """Probabilities of satisfied at the newest tokens of all passes since this was last asked."""
        if not self.tasks or not self._taken[0]:
            return np.empty((0, 0, len(self.layers), len(self.tasks)), dtype=np.float32)
        X = torch.stack([torch.stack(each) for each in self._taken]).float()
        for each in self._taken:
            each.clear()
        scores = torch.einsum("lpbd,ltd->pblt", X, self._weights) + self._offsets
        return torch.sigmoid(scores).cpu().numpy()

    def _tap(self, i: int) -> Any:
        def see(activation: Float[Tensor, "batch token d_model"], hook: Any) -> None:
            del hook
            self._taken[i].append(activation[:, -1].detach().clone())

        return see


class LiveWords:
    """What the words of one answer say, updated by each token."""

    def __init__(self, words: Sequence[WordProbe], prompt: Sequence[int]) -> None:
        self._counts = [np.zeros(len(each.response_vocabulary)) for each in words]
        self._parts = [_parts(each) for each in words]
        self._words = words
        self._n = 0
        self._scores = [float(each.scores([prompt], [[]])[0]) for each in words]

    def add(self, token: int) -> None:
        """Read one more token of the answer."""
        before, after = np.log1p(self._n), np.log1p(self._n + 1)
        self._n += 1
        for i, words in enumerate(self._words):
            weights, length = self._parts[i]
            self._scores[i] += length * (after - before)
            at = int(np.searchsorted(words.response_vocabulary, token))
            if at < len(weights) and words.response_vocabulary[at] == token:
                count = self._counts[i][at]
                self._scores[i] += float(weights[at] * (np.log1p(count + 1) - np.log1p(count)))
                self._counts[i][at] += 1

    def read(self) -> list[float]:
        """Probability of satisfied, task by task."""
        return [float(1 / (1 + np.exp(-score))) for score in self._scores]


def _parts(words: WordProbe) -> tuple[Float[np.ndarray, " r"], float]:
    """Weights of the answer's tokens, and of the logarithm of its length."""
    weight = words.probe.weight / words.probe.scale
    return weight[len(words.prompt_vocabulary) : -1], float(weight[-1])
