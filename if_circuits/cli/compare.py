"""`if-circuits compare`: finished studies side by side."""

import argparse
import sys
from typing import Any

from if_circuits.cli.arguments import own_directory, study_place


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    compare: argparse.ArgumentParser = commands.add_parser(
        "compare",
        help="set finished studies side by side",
        description="Verdicts, effects and compliance of several studies, and how far the verdicts agree.",
    )
    compare.add_argument(
        "directories",
        metavar="DIR",
        type=study_place,
        nargs="+",
        help="directory or URL of a finished study",
    )
    compare.add_argument(
        "--out",
        metavar="DIR",
        type=own_directory,
        help="write compare.parquet, compare.png, compare.md and compare.html there",
    )
    compare.set_defaults(command=_compare)


def _compare(arguments: argparse.Namespace) -> int:
    from if_circuits.cli.console import print_table
    from if_circuits.study.comparison import compare

    found = compare(arguments.directories)
    for table in (found.verdicts(), found.agreement.drop(columns="claim").round(2), found.shares()):
        print_table([str(name) for name in table.columns], table.astype(str).to_numpy().tolist())
    for warning in found.warnings:
        sys.stderr.write(f"{warning}\n")
    if arguments.out is not None:
        found.save(arguments.out)
        sys.stdout.write(f"written to {arguments.out}\n")
    return 0
