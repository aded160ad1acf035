"""Updates of low rank, x -> x - (x rightᵀ - goal) left: what projecting, erasing and adding have in common.

Since all have one form, the rows of a batch can each have their own in two products, however many conditions
the batch holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class LowRankUpdate:
    """x - (x rightᵀ - goal) left, for the residual stream x of a token."""

    right: Float[np.ndarray, "k d_model"]
    goal: Float[np.ndarray, " k"]
    left: Float[np.ndarray, "k d_model"]

    def on(
        self, device: torch.device
    ) -> tuple[Float[Tensor, "k d_model"], Float[Tensor, " k"], Float[Tensor, "k d_model"]]:
        """right, goal and left on the device, in float32."""
        right, goal, left = (
            torch.tensor(part, dtype=torch.float32, device=device)
            for part in (self.right, self.goal, self.left)
        )
        return right, goal, left


@runtime_checkable
class HasUpdate(Protocol):
    """An operation that is an update of low rank, the same at every layer."""

    def update(self) -> LowRankUpdate:
        """The update."""
        ...


class UpdatesByRow:
    """Several updates, of which each row of a batch has one."""

    def __init__(self, updates: Sequence[LowRankUpdate], device: torch.device) -> None:
        k, d_model = max(len(update.goal) for update in updates), updates[0].right.shape[1]
        # What a smaller rank lacks stays zero, and changes nothing.
        self._right, self._left = torch.zeros(2, len(updates), k, d_model, device=device)
        self._goal = torch.zeros(len(updates), 1, k, device=device)
        for i, update in enumerate(updates):
            right, goal, left = update.on(device)
            self._right[i, : len(goal)], self._goal[i, 0, : len(goal)] = right, goal
            self._left[i, : len(goal)] = left

    def __call__(
        self, x: Float[Tensor, "batch length d_model"], which: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch length d_model"]:
        """Each row under its own update, `which` by number."""
        coordinates = torch.bmm(x.float(), self._right[which].mT) - self._goal[which]
        return (x - torch.bmm(coordinates, self._left[which])).to(x.dtype)
