"""Memory: what is free on a device, and what a model's weights take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel

_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current")


def weight_bytes(model: LoadedModel) -> int:
    """Bytes of the weights as they are loaded."""
    return sum(weight.numel() * weight.element_size() for weight in model.hf.parameters())


def free_memory(device: str) -> int | None:
    """Bytes that can still be had on a device; None where that cannot be known."""
    kind = torch.device(device).type
    if kind == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
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
    """What a container's limit leaves; None without one."""
    try:
        limit, used = (Path(path).read_text("ascii").strip() for path in _CGROUPS)
    except OSError:
        return None
    return max(0, int(limit) - int(used)) if limit.isdigit() else None
