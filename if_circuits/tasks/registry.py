"""The registry of tasks: the nine tasks of the study, and those that others add."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from if_circuits.registry import Registry, calling_module

if TYPE_CHECKING:
    from if_circuits.tasks.task import Task

FAMILIES = ("structural", "lexical", "semantic", "stylistic")
"""Order of the families, and the modules that hold their tasks."""


def _is_task(value: object) -> bool:
    from if_circuits.tasks.task import Task

    return isinstance(value, Task)


tasks: Registry[Task] = Registry(
    "task",
    group="if_circuits.tasks",
    modules=[f"if_circuits.tasks.families.{family}" for family in FAMILIES],
    expects="an if_circuits.tasks.task.Task",
    accepts=_is_task,
)


def register_task(task: Task) -> Task:
    """Add `task` to the registry under its own name and return it.

    Raises InputError if another task has its name.
    """
    tasks.add(task.name, task, origin=calling_module())
    return task


def get_tasks(names: Iterable[str] | None = None) -> tuple[Task, ...]:
    """The tasks with the given names, in that order; the study's own nine by default.

    Others' tasks are named: what is installed beside this library must not change a study. Raises InputError
    for a name that no task has.
    """
    if names is None:
        own = [tasks.get(name) for name in tasks.built_in()]
        return tuple(sorted(own, key=lambda task: FAMILIES.index(task.family)))
    return tuple(tasks.get(name) for name in dict.fromkeys(names))


def get_task(name: str) -> Task:
    """The task with this name. Raises InputError if there is none."""
    return tasks.get(name)
