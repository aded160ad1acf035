"""Judges: classifiers that say what a text is about, how it feels, whether it insults, how formal it is.

The defaults work offline, and are the best offline ones by measurement (see `tasks/judge_measurement.py`).
"""

from if_circuits.tasks.judges.base import Judge, Judgement, load_lexicon
from if_circuits.tasks.judges.choice import (
    DEFAULT_JUDGES,
    check_choice,
    choose_judges,
    default_judges,
    judge_names,
)

__all__ = [
    "DEFAULT_JUDGES",
    "Judge",
    "Judgement",
    "check_choice",
    "choose_judges",
    "default_judges",
    "judge_names",
    "load_lexicon",
]
