"""Interventions on the residual stream: what is done to it, where, and the hooks that do it.

All that a script needs can be imported from here:

    from if_circuits.interventions import Intervention, ProjectOut, Scope, intervene
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from if_circuits.interventions.hooks import Intervention, intervene
    from if_circuits.interventions.operations import Add, Erase, MeanReplace, Operation, ProjectOut, Zero
    from if_circuits.interventions.patching import Donor, PatchFrom
    from if_circuits.interventions.scope import Scope

__all__ = [
    "Add",
    "Donor",
    "Erase",
    "Intervention",
    "MeanReplace",
    "Operation",
    "PatchFrom",
    "ProjectOut",
    "Scope",
    "Zero",
    "intervene",
]

_MODULES = {
    "hooks": ("Intervention", "intervene"),
    "operations": ("Add", "Erase", "MeanReplace", "Operation", "ProjectOut", "Zero"),
    "patching": ("Donor", "PatchFrom"),
    "scope": ("Scope",),
}


def __getattr__(name: str) -> Any:
    """Import on first use, because the modules behind it import torch."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"if_circuits.interventions.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
