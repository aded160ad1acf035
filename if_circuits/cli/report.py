"""`if-circuits report`: the report of what a study has, finished or not."""

import argparse
import sys
from typing import Any

from if_circuits.cli.arguments import study_place


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    report: argparse.ArgumentParser = commands.add_parser(
        "report",
        help="write the report of what is done so far",
        description="Write the report of a study's finished analyses, with figures and tables, from its "
        "files alone; a study at work may go on meanwhile. The report says what it lacks.",
    )
    report.add_argument("directory", metavar="DIR", type=study_place, help="directory or URL of the study")
    report.set_defaults(command=_report)


def _report(arguments: argparse.Namespace) -> int:
    from if_circuits.study import Study

    study = Study.open(arguments.directory)
    for name in study.report():
        sys.stdout.write(f"not done yet: {name}\n")
    sys.stdout.write(f"report: {study.directory.report}\n")
    return 0
