"""Families of tasks, read from the data: every table of responses and of results says which task is of which.

The study's own tasks come in the order of their registry, family by family; another task of one of these
families follows them, and other families come last, as they stand in the data.
"""

from __future__ import annotations

import pandas as pd

from if_circuits.errors import InputError
from if_circuits.tasks.registry import FAMILIES, tasks


def families_of(table: pd.DataFrame, *, task: str = "task", family: str = "family") -> dict[str, str]:
    """The family of every task in the columns `task` and `family`, in the order of tables and figures.

    Raises InputError where the table lacks one of the columns.

    Example:
        >>> families_of(pd.DataFrame({"task": ["rhyme", "topic"], "family": ["sound", "semantic"]}))
        {'topic': 'semantic', 'rhyme': 'sound'}
    """
    if missing := {task, family} - set(table.columns):
        raise InputError(
            f"the responses lack the column(s) {', '.join(sorted(missing))}, which say what each row's task "
            "is and of which family; prompts that this library makes have both"
        )
    pairs = table[[task, family]].drop_duplicates(task)
    found = dict(zip(map(str, pairs[task]), map(str, pairs[family]), strict=True))
    families = [*FAMILIES, *dict.fromkeys(name for name in found.values() if name not in FAMILIES)]
    own = {name: place for place, name in enumerate(tasks.built_in())}
    ordered = sorted(found, key=lambda name: (families.index(found[name]), own.get(name, len(own))))
    return {name: found[name] for name in ordered}
