"""Memory: what is free on a device, what a model's weights and a pass take, and how many rows fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from if_circuits.models.presets import ITEMSIZE

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel

_CGROUP = Path("/sys/fs/cgroup")
_USABLE = 0.8
"""Of the free memory, what a batch may take."""
_SCORE_BYTES = 8
"""An attention score before and after softmax, in float32."""
_STREAMS, _WIDE = 8, 3
"""Copies of the residual stream and of a block's widest layer that are held at once while it is computed."""


def weight_bytes(model: LoadedModel) -> int:
    """Bytes of the weights as they are loaded."""
    return sum(weight.numel() * weight.element_size() for weight in model.hf.parameters())


def pass_bytes(model: LoadedModel, tokens: int) -> int:
    """Bytes that a row of so many tokens takes while one block is computed: attention scores and streams."""
    cfg = model.bridge.cfg
    wide = int(getattr(cfg, "d_mlp", None) or 4 * model.d_model)
    numbers = tokens * (_WIDE * wide + _STREAMS * model.d_model)
    return int(cfg.n_heads) * tokens**2 * _SCORE_BYTES + numbers * ITEMSIZE[model.dtype]


def rows_that_fit(free: int | None, row_bytes: int, *, most: int) -> int:
    """How many rows fit into the free bytes: `most`, halved until they do, and at least 1.

    `most` where nobody knows what is free. Halved, since the free memory is never the same twice, and since
    that is what running out of memory does (`generation.batches`).
    """
    while free is not None and most > 1 and most * row_bytes > _USABLE * free:
        most //= 2
    return most


def free_memory(device: str) -> int | None:
    """Bytes that can still be had on a device; None where that cannot be known."""
    kind = torch.device(device).type
    if kind == "cuda":
        # What torch has taken from the device and does not use is free to it.
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + held
    if kind != "cpu":
        return None
    free = [value for value in (_available(), _left_in_cgroup()) if value is not None]
    return min(free, default=None)


def _available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines if line.startswith("MemAvailable:")]
    return int(found[0][1]) * 1024 if found else None


def _left_in_cgroup() -> int | None:
    """What a container's limit leaves; None without one. Files that are cached count as free."""
    try:
        limit, used, parts = (
            (_CGROUP / f"memory.{name}").read_text("ascii").strip() for name in ("max", "current", "stat")
        )
    except OSError:
        return None
    if not limit.isdigit():
        return None
    sizes = dict(line.split() for line in parts.splitlines())
    cached = sum(int(sizes.get(name, 0)) for name in ("active_file", "inactive_file"))
    return max(0, int(limit) - int(used) + cached)
