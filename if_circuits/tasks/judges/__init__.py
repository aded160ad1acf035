"""Judges: classifiers that say what a text is about, how it feels, whether it insults, how formal it is.

All work offline. `open_judges` names the best ones that are installed; `measurement` says how good they are.
"""

from if_circuits.tasks.judges.choice import open_judges

__all__ = ["open_judges"]
