"""A study's directory: its configuration, its stages, and what it found. Offers `Study` and `StudyConfig`."""

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
