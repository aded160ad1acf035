"""A null by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from if_circuits.errors import InputError
from if_circuits.study.nulls.draws import Null
from if_circuits.study.nulls.exchanged import exchanged_labels
from if_circuits.study.nulls.untrained import untrained_weights

if TYPE_CHECKING:
    from if_circuits.models.loaded import LoadedModel
    from if_circuits.study.directory import StudyDirectory


def null_named(name: str, directory: StudyDirectory, load: Callable[[], LoadedModel]) -> Null:
    """`labels` or `untrained`, of a study whose model `load` gives. Raises InputError for another name."""
    if name == "labels":
        return exchanged_labels(directory)
    if name == "untrained":
        return untrained_weights(directory, load())
    raise InputError(f"{name!r} is no null; choose labels or untrained")
