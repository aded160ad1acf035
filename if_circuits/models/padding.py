"""Rows of token ids as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Int
from torch import Tensor


def pad(
    rows: Sequence[Sequence[int]], pad_id: int, *, side: Literal["left", "right"]
) -> tuple[Int[Tensor, "batch longest"], Int[Tensor, "batch longest"]]:
    """The ids, padded on one side, and their attention mask (0 on padding).

    On the left, all rows end together, as generation needs it; on the right, a token keeps its index.
    """
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), pad_id, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        start = longest - len(row) if side == "left" else 0
        ids[i, start : start + len(row)] = torch.tensor(row, dtype=torch.long)
        mask[i, start : start + len(row)] = 1
    return ids, mask
