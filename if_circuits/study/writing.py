"""Who writes a study's responses, and where: the model itself on an engine, or another generator here."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import pandas as pd

from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.generation.on_vllm import Writer, check_for_vllm, on_vllm
from if_circuits.models.workers import on_model
from if_circuits.study.config import StudyConfig

if TYPE_CHECKING:
    from if_circuits.engine.base import Engine
    from if_circuits.models.loading import LoadedModel
    from if_circuits.progress import Report

Unit = TypeVar("Unit", contravariant=True)


class Answers(Protocol[Unit]):
    """A function of a module's own that has a unit's prompts answered by a writer."""

    def __call__(
        self, model: LoadedModel, unit: Unit, progress: Report | None, /, *, write: Writer | None = None
    ) -> pd.DataFrame:
        """The responses, the model's own where there is no other writer."""
        ...


def check_generator(config: StudyConfig, model: LoadedModel) -> None:
    """Raise InputError where what shall write the responses cannot be had, or would not write them."""
    if config.generator == "vllm":
        check_for_vllm(model)


def writer_of(config: StudyConfig) -> AbstractContextManager[Writer | None]:
    """What writes a study's responses in place of its model, for as long as the context lasts; or nothing."""
    return on_vllm() if config.generator == "vllm" else nullcontext()


def written(
    engine: Engine,
    model: LoadedModel,
    answer: Answers[Unit],
    units: Sequence[Unit],
    *,
    write: Writer | None,
    sizes: Sequence[int],
    progress: Report | None,
) -> Generator[pd.DataFrame]:
    """The responses of each unit, in order; `sizes` says how much work each is.

    A writer in the model's place has its own way to use a machine, and writes in this process.
    """
    if write is None:
        return on_model(engine, model, answer, units, sizes=sizes, progress=progress)
    return on_model(IN_PROCESS, model, partial(answer, write=write), units, sizes=sizes, progress=progress)
