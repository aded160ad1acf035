"""Devices: where a model may be put, and where it was put. The command line reads this without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from if_circuits.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

DEVICE_MAPS = ("auto", "balanced", "sequential")
"""Placements that accelerate works out from the devices and the memory that it finds."""


def check_device(device: str) -> None:
    """Refuse a device that this machine, or this build of torch, does not have."""
    import torch

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        cause = str(error).splitlines()[0].rstrip(".")
        raise InputError(f"device {device!r} cannot be used: {cause}; try --device cpu") from error


def check_device_map(device_map: str | None, *, device: str) -> None:
    """Refuse an unknown placement, and one beside a device that was asked for."""
    if device_map is None:
        return
    if device_map not in DEVICE_MAPS:
        raise InputError(f"device map {device_map!r} is not one of {', '.join(DEVICE_MAPS)}")
    if device != "cpu":
        raise InputError(
            f"device {device!r} and device map {device_map!r} exclude each other; give one of them"
        )


def only_device(model: PreTrainedModel) -> str:
    """The device that holds all weights.

    Raises InputError where a device map spread them over several, or left them on disk: interventions
    and capture bring tensors of their own, on one device.
    """
    devices = sorted({str(weight.device) for weight in model.parameters()})
    if "meta" in devices:
        raise InputError(
            "the device map left weights on disk, where no study can read them; free memory, "
            "or use --dtype bfloat16"
        )
    if len(devices) > 1:
        raise InputError(
            f"the device map spread the model over {', '.join(devices)}, and a study needs it on one device; "
            "give --device, with --dtype bfloat16 if the model is too large"
        )
    return devices[0]
