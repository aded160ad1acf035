"""`if-circuits tasks` and `if-circuits models`: what there is."""

import argparse
from typing import Any

from if_circuits.errors import InputError


def add_parser(commands: Any) -> None:
    """Add both commands to the command line."""
    tasks = commands.add_parser("tasks", help="list the tasks", description="List the tasks of a study.")
    tasks.set_defaults(command=_tasks)
    models = commands.add_parser("models", help="list the presets", description="List the known models.")
    models.set_defaults(command=_models)


def _tasks(arguments: argparse.Namespace) -> int:
    del arguments
    from if_circuits.cli.console import print_table
    from if_circuits.tasks.registry import tasks

    rows: list[tuple[str, ...]] = []
    for name in tasks.names():
        try:
            task = tasks.get(name)
        except InputError as error:  # another's package: say so, and list the others
            rows.append((name, "–", "–", str(error)))
        else:
            rows.append((task.name, task.family, task.judge or "exact", task.paraphrases[0]))
    print_table(("task", "family", "verified by", "a constraint, in one of its wordings"), rows)
    return 0


def _models(arguments: argparse.Namespace) -> int:
    del arguments
    from if_circuits.cli.console import print_table
    from if_circuits.models.presets import presets

    rows: list[tuple[str, ...]] = []
    for name in presets.names():
        try:
            preset = presets.get(name)
        except InputError as error:
            rows.append((name, "–", str(error)))
        else:
            held = f"the package {preset.package}" if preset.package else preset.source
            rows.append((name, "in this package" if preset.bundled else held, preset.description))
    print_table(("preset", "from", "what it is"), rows)
    return 0
