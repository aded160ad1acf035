"""The registry of judges: this library's own, and those that others add.

A judge is registered as a factory, such as its class: it may be costly to make, and a study makes only those
that its tasks consult.
"""

from __future__ import annotations

from collections.abc import Callable

from if_circuits.registry import Registry
from if_circuits.tasks.judges.base import Judge

judges: Registry[Callable[[], Judge]] = Registry(
    "judge",
    group="if_circuits.judges",
    modules=["if_circuits.tasks.judges.lexicons", "if_circuits.tasks.judges.weighted"],
    expects="a factory of judges, such as a class with `name` and `judge(texts)`",
    accepts=callable,
)
