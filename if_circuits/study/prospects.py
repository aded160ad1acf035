"""What a study says of its analyses once its responses are verified, and what would do for those that lack
labels.

Enough labels are not yet a verdict: probes must read the tasks too, and one analysis only describes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pandas as pd

from if_circuits.analyses.base import get_analysis
from if_circuits.study.config import suite_of
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.order import has_pilot
from if_circuits.study.outlook import Shortage, shortages, unsupportable
from if_circuits.study.pilot import described
from if_circuits.study.pilot_answers import N_QUERIES
from if_circuits.study.prompting import unmeasured
from if_circuits.tasks.suites.choice import get_suite

_logger = logging.getLogger(__name__)


def say_prospects(directory: StudyDirectory) -> None:
    """Log which analyses have enough labels, which have not, and how many base queries would do."""
    config, place = directory.config, directory.place
    for left_out in described(unmeasured(directory)):
        _logger.warning("%s: %s", place, left_out)
    short = shortages_of(directory, config.analyses)
    limited = unsupportable(_of_measured_tasks(directory), config.analyses, config.settings)
    can = [name for name in config.analyses if name not in short]
    if config.analyses:
        which = f": {', '.join(can)}" if short and can else ""
        _logger.warning(
            "%s: %d of %d analyses have enough labels%s", place, len(can), len(config.analyses), which
        )
    most = _most_base_queries(directory)
    for shortage in (*short.values(), *limited.values()):
        too_many = most is not None and shortage.base_queries is not None and shortage.base_queries > most
        instead = f", of which this study can have {most}: ask more prompts or samples of each"
        _logger.warning("%s: %s%s", place, shortage, instead if too_many else "")
    if spared := [name for name in short if get_analysis(name).uses_model and short[name].skips_model]:
        _logger.warning("%s: spared their work on the model: %s", place, ", ".join(spared))


def shortages_of(directory: StudyDirectory, names: Sequence[str]) -> dict[str, Shortage]:
    """The verdicts that the study cannot have; tasks that the pilot left out count for none."""
    return shortages(_of_measured_tasks(directory), names, directory.config.settings)


def _of_measured_tasks(directory: StudyDirectory) -> pd.DataFrame:
    responses = pd.read_parquet(directory.responses)
    return responses[~responses["task"].isin(list(unmeasured(directory)))]


def _most_base_queries(directory: StudyDirectory) -> int | None:
    """How many base queries such a study can have; None of a file of prompts."""
    config = directory.config
    if config.prompts is not None:
        return None
    available = get_suite(suite_of(config)).available(held_out_only=directory.ledger.read()["held_out_only"])
    return len(available) - (N_QUERIES if has_pilot(config) else 0)
