"""Whether what a study holds is what its code and data would make now."""

from __future__ import annotations

import logging

from if_circuits.study.directory import StudyDirectory
from if_circuits.study.keys import StageKeys
from if_circuits.study.order import inputs_of, stage_names

_logger = logging.getLogger(__name__)


def say_if_out_of_date(directory: StudyDirectory) -> None:
    """Warn who reads the responses or activations of a study that something has changed since, and what."""
    if why := incomplete(directory):
        _logger.warning(
            "%s is out of date (%s): what is taken from it is as it was made; to redo it, go on with "
            "`if-circuits run %s --out %s` and the options that it was made with",
            directory.place,
            why,
            directory.config.model,
            directory.place,
        )


def incomplete(directory: StudyDirectory) -> str:
    """The first stage before the analyses that is to be done, and why; empty when all is captured."""
    keys = StageKeys(directory)
    for name in stage_names(directory.config):
        if name.startswith("analyses."):
            break
        if name not in directory.ledger.read()["stages"]:
            return f"{name} is not done"
        if (why := directory.ledger.pending(name, inputs_of(name, directory), keys.of(name))) is not None:
            return f"{name}: {why}" if why else f"{name} is to be done again"
    return ""
