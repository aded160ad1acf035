"""`if-circuits verify`: whether a study's files are what its record says."""

import argparse
import sys
from typing import Any

from if_circuits.cli.arguments import study_place


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    verify: argparse.ArgumentParser = commands.add_parser(
        "verify",
        help="check a study from its files alone",
        description="Check hashes, versions, row counts, and that each table follows from its inputs.",
    )
    verify.add_argument("directory", metavar="DIR", type=study_place, help="directory or URL of the study")
    verify.add_argument(
        "--recompute", action="store_true", help="do the analyses that need no model again, and compare"
    )
    verify.set_defaults(command=_verify)


def _verify(arguments: argparse.Namespace) -> int:
    from if_circuits.cli.console import print_table
    from if_circuits.study.audit import audit

    findings = audit(arguments.directory, recompute=arguments.recompute)
    rows = [("pass" if not each.faults else "FAIL", each.check, each.checked) for each in findings]
    print_table(("", "check", "what was looked at"), rows)
    faults = [fault for each in findings for fault in each.faults]
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    return 1 if faults else 0
