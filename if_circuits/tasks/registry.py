"""The registry of tasks: the nine of the study, and those that others add."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING

from if_circuits.errors import InputError

if TYPE_CHECKING:
    from if_circuits.tasks.base import Task

FAMILIES = ("structural", "lexical", "semantic", "stylistic")
"""Order of the families, and the modules that hold their tasks."""
_tasks: dict[str, Task] = {}


def register_task(task: Task) -> Task:
    """Add `task` to the registry and return it.

    Raises InputError if another task has its name.
    """
    if task.name in _tasks:
        raise InputError(f"a task named {task.name!r} is registered already; choose another name")
    _tasks[task.name] = task
    return task


def get_tasks(names: Iterable[str] | None = None) -> tuple[Task, ...]:
    """The tasks with the given names, in that order; all of them by default.

    Raises InputError for a name that no task has.
    """
    for family in FAMILIES:
        import_module(f"if_circuits.tasks.{family}")
    if names is None:
        return tuple(sorted(_tasks.values(), key=lambda task: FAMILIES.index(task.family)))
    wanted = list(names)
    unknown = [name for name in wanted if name not in _tasks]
    if unknown:
        raise InputError(f"unknown task {unknown[0]!r}; expected one of {', '.join(_tasks)}")
    return tuple(_tasks[name] for name in dict.fromkeys(wanted))


def get_task(name: str) -> Task:
    """The task with this name. Raises InputError if there is none."""
    return get_tasks([name])[0]
