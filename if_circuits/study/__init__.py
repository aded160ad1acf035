"""A study's directory: its configuration, its stages, and what it found. Offers `Study` and `StudyConfig`.

Where to look:

- What a study is: `study`, `config`, `identity`; what it asks, counted: `counts`.
- How much it takes: `space` and `budget` on this machine, `forecast` on another, `remaining` as it runs.
- Its stages: their `order`, the `pilot` and its `pilot_answers`, `prompting`, `answering`, `pipeline`,
  `readings`, `closing`; who writes responses, and where: `writing`; one of them at work: `stage`.
- What lies in its directory: `directory`, `ledger`, `lock`, `stored`; whether that still holds: `keys`,
  `out_of_date`, `versions`, `audit`.
- A study at a URL: the doors (`place`), the folder in which it is worked on (`mirror`), what goes to and fro
  (`exchange`, `uploading`), one process at a time (`claim`).
- Its verdicts: which it can have (`outlook`) and what is said of that (`prospects`), on responses on which
  judges agree (`agreement`), where there is nothing to find (`nulls`), beside other studies (`comparison`,
  `forest`).
- One prompt under removals, as the study would do it: `targets`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from if_circuits.study.config import StudyConfig
    from if_circuits.study.study import Study

__all__ = ["Study", "StudyConfig"]

_MODULES = {"Study": "if_circuits.study.study", "StudyConfig": "if_circuits.study.config"}


def __getattr__(name: str) -> Any:
    """Import on first use: a configuration alone needs no torch, and the command line's help no pandas."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
