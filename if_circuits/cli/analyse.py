"""`if-circuits analyse`: the analyses again, on what a study captured."""

import argparse
from pathlib import Path
from typing import Any

from if_circuits.analyses.base import ANALYSES


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    analyse: argparse.ArgumentParser = commands.add_parser(
        "analyse",
        help="do the analyses again on a cached study",
        description="Do the analyses again on the responses and activations of a study, and its report.",
    )
    analyse.add_argument("directory", metavar="DIR", type=Path, help="directory of the study")
    analyse.add_argument(
        "--only", metavar="NAME", nargs="+", choices=ANALYSES, help=f"of {', '.join(ANALYSES)} (default: all)"
    )
    analyse.set_defaults(command=_analyse)


def _analyse(arguments: argparse.Namespace) -> int:
    from if_circuits.cli.console import StageDisplay, print_study
    from if_circuits.study import Study

    study = Study.open(arguments.directory)
    with StageDisplay() as progress:
        study.analyse(arguments.only, progress=progress)
    print_study(study)
    return 0
