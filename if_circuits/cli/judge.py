"""`if-circuits judge`: how well a judge agrees with one's own labels."""

import argparse
import sys
from pathlib import Path
from typing import Any


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    judge: argparse.ArgumentParser = commands.add_parser(
        "judge",
        help="measure a judge on labelled texts",
        description="Measure a judge on a CSV file with the columns text and label: two labels, or a "
        "number for each text, of which the outer thirds are taken as labels.",
    )
    judge.add_argument("file", type=Path, help="CSV file with the columns text and label")
    judge.add_argument(
        "--what", metavar="PROPERTY", required=True, help="register, sentiment, topic, toxicity or another's"
    )
    judge.add_argument(
        "--judge", metavar="NAME", help="a registered judge, or hf:NAME (default: the best installed one)"
    )
    judge.add_argument(
        "--positive",
        metavar="LABEL",
        help="the label that a large score speaks for (default: formal, positive, toxic)",
    )
    judge.set_defaults(command=_judge)


def _judge(arguments: argparse.Namespace) -> int:
    from if_circuits.tasks.judges.report import measure_file

    score = measure_file(
        arguments.file, what=arguments.what, judge=arguments.judge, positive=arguments.positive
    )
    sys.stdout.write(score.text() + "\n")
    return 0
