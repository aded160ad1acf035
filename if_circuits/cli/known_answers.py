"""`if-circuits known-answers`: the study on models with a planted mechanism, and its verdicts beside the
truth."""

import argparse
from pathlib import Path
from typing import Any

from if_circuits.cli.arguments import add_engine_options, engine_of, own_directory, seed


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    known: argparse.ArgumentParser = commands.add_parser(
        "known-answers",
        help="run the study on models with a planted mechanism and compare its verdicts with the truth",
        description="Run the whole study, unchanged, on models with a planted mechanism, and compare what it "
        "finds with what was planted. Stopped, the same command goes on where it was.",
    )
    known.add_argument(
        "models",
        metavar="MODEL",
        nargs="*",
        help="directories made by if_circuits.planting.train (default: the four shipped models)",
    )
    known.add_argument(
        "--out",
        metavar="DIR",
        type=own_directory,
        default=Path("runs/known-answers"),
        help="default: %(default)s",
    )
    add_engine_options(known, units="studies")
    known.add_argument(
        "--seed", metavar="N", type=seed, default=0, help="of the studies (default: %(default)s)"
    )
    known.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> int:
    from if_circuits.analyses.validation.known_answers.run import SHIPPED, known_answers
    from if_circuits.cli.console import new_console, print_table

    console = new_console(stderr=True)
    with engine_of(arguments) as engine:
        table = known_answers(
            arguments.models or SHIPPED,
            arguments.out,
            seed=arguments.seed,
            engine=engine,
            done=lambda name, seconds: console.print(f"{name}: study done, {seconds:.0f} s", markup=False),
        )
    print_table(
        ("model", "question", "planted", "found", "", "effect", "interval"),
        [_cells(row) for row in table.to_dict("records")],
    )
    return 0


def _cells(row: "dict[Any, Any]") -> tuple[str, ...]:
    from if_circuits.plotting.numbers import format_number

    interval = f"[{format_number(row['low'])}, {format_number(row['high'])}]"
    effect = format_number(row["effect"])
    return row["model"], row["question"], row["planted"], row["found"], row["right"], effect, interval
