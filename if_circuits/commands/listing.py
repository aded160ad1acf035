"""`if-circuits tasks` and `if-circuits models`: what there is."""

import argparse
from typing import Any


def add_parser(commands: Any) -> None:
    """Add both commands to the command line."""
    tasks = commands.add_parser("tasks", help="list the tasks", description="List the tasks of a study.")
    tasks.set_defaults(command=_tasks)
    models = commands.add_parser("models", help="list the presets", description="List the known models.")
    models.set_defaults(command=_models)


def _tasks(arguments: argparse.Namespace) -> int:
    del arguments
    from if_circuits.console import print_table
    from if_circuits.tasks.registry import get_tasks

    rows = [(task.name, task.family, task.judge or "exact", task.paraphrases[0]) for task in get_tasks()]
    print_table(("task", "family", "verified by", "a constraint, in one of its wordings"), rows)
    return 0


def _models(arguments: argparse.Namespace) -> int:
    del arguments
    from if_circuits.console import print_table
    from if_circuits.models.presets import PRESETS

    rows = [
        (preset.name, "in this package" if preset.bundled else preset.source, preset.description)
        for preset in PRESETS
    ]
    print_table(("preset", "from", "what it is"), rows)
    return 0
