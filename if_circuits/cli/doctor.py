"""`if-circuits doctor`: whether a model is fit for the study."""

import argparse
import json
import sys
from typing import Any

from if_circuits.cli.arguments import MODEL_HELP, add_device_options


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    doctor: argparse.ArgumentParser = commands.add_parser(
        "doctor",
        help="say whether a model is fit for the study",
        description="Examine a model, and say what to do where it is not fit. Exits with 0 if it "
        "is fit, 1 if not, 2 for a bad argument.",
    )
    doctor.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    add_device_options(doctor)
    doctor.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    doctor.set_defaults(command=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    from if_circuits.cli.console import new_console, print_table
    from if_circuits.doctor import examine

    with new_console(stderr=True).status("") as status:
        diagnosis = examine(
            arguments.model,
            device=arguments.device,
            dtype=arguments.dtype,
            device_map=arguments.device_map,
            progress=lambda name: status.update(name.replace("_", " ")),
        )
    if arguments.json:
        sys.stdout.write(json.dumps(diagnosis.to_json(), ensure_ascii=False) + "\n")
    else:
        rows = [(check.status, check.name, check.detail) for check in diagnosis.checks]
        print_table(("", "check", "what was found"), rows)
        sys.stdout.write(f"{diagnosis.model} is {'fit' if diagnosis.fit else 'not fit'} for the study\n")
    return 0 if diagnosis.fit else 1
