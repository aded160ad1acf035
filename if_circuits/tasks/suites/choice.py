"""Which suites there are."""

from __future__ import annotations

from functools import cache

from if_circuits.errors import InputError
from if_circuits.tasks.suites.controlled import controlled_suite
from if_circuits.tasks.suites.open import open_suite
from if_circuits.tasks.suites.suite import Suite

CONTROLLED = "controlled"
OPEN = "open"


@cache
def get_suite(name: str) -> Suite:
    """The suite of that name. Raises InputError if there is none.

    Example:
        >>> len(get_suite("open").queries) >= 300
        True
    """
    made = {CONTROLLED: controlled_suite, OPEN: open_suite}
    if name not in made:
        raise InputError(f"unknown suite {name!r}; expected {' or '.join(made)}")
    return made[name]()
