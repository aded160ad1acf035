"""A model for the workers of an engine: each loads a copy by name, and checks that it is the same one."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch

from if_circuits.engine.base import Engine
from if_circuits.engine.held import OnHeld
from if_circuits.engine.in_process import IN_PROCESS, InProcess
from if_circuits.errors import InputError
from if_circuits.models.loading import load_model
from if_circuits.models.presets import DType
from if_circuits.models.state import hooks_in_place
from if_circuits.progress import Report

if TYPE_CHECKING:
    from if_circuits.models.loaded import LoadedModel

Unit = TypeVar("Unit")
Result = TypeVar("Result")


@dataclass(frozen=True)
class ModelSource:
    """How a model is loaded again."""

    name: str
    device: str
    """Its kind, such as "cuda": which one of them it is differs from worker to worker."""
    dtype: DType
    device_map: str | None
    fingerprint: str
    """Of the model that this process has."""
    n_gpus: int

    @classmethod
    def of(cls, model: LoadedModel) -> ModelSource:
        """That of a model that was loaded by name."""
        devices = {parameter.device for parameter in model.hf.parameters()}
        return cls(
            model.name,
            torch.device(model.device).type,
            model.dtype,
            model.device_map,
            model.fingerprint,
            sum(device.type == "cuda" for device in devices),
        )

    def load(self) -> LoadedModel:
        """Load it. Raises InputError where it cannot be had here, or where it is not the same one."""
        if self.device_map is None:
            model = load_model(self.name, device=self.device, dtype=self.dtype)
        else:
            model = load_model(self.name, dtype=self.dtype, device_map=self.device_map)
        if model.fingerprint != self.fingerprint:
            raise InputError(
                f"a worker found other weights or another tokenizer of {self.name} (fingerprint "
                f"{model.fingerprint[:12]}, here {self.fingerprint[:12]}); give every node the same files"
            )
        return model


def on_model(
    engine: Engine,
    model: LoadedModel,
    function: OnHeld[LoadedModel, Unit, Result],
    units: Sequence[Unit],
    *,
    sizes: Sequence[int] | None = None,
    progress: Report | None = None,
) -> Generator[Result]:
    """The results of a function that needs the model besides each unit, in the order of the units.

    A model that workers cannot load as it is, since it was in hand as a bridge or has hooks on it, does all
    units in this process.

    Args:
        engine: Carries out the units.
        model: As this process has it.
        function: One of a module's own, given a model, a unit, and what tells how much of it is done.
        units: Data.
        sizes: How much work each unit is, in which progress is told; by default they are alike.
        progress: Told how much of all units is done.
    """
    if isinstance(engine, InProcess) or model.source is None or hooks_in_place(model.bridge):
        return IN_PROCESS.map_held(function, units, here=model, sizes=sizes, progress=progress)
    source = ModelSource.of(model)
    return engine.map_held(function, units, source=source, here=model, sizes=sizes, progress=progress)
