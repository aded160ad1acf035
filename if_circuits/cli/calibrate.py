"""`if-circuits calibrate`: how often the analyses are wrong on planted truth, and how often they see it."""

import argparse
import sys
from pathlib import Path
from typing import Any

from if_circuits.analyses.base import ON_ACTIVATIONS
from if_circuits.cli.arguments import add_engine_options, count, engine_of, own_directory, seed

RUNS, POWER_RUNS = 200, 12


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    calibrate: argparse.ArgumentParser = commands.add_parser(
        "calibrate",
        help="measure the error rates and the power of the analyses on planted truth",
        description="Measure the error rates and the power of the analyses on planted truth. Stopped, the "
        "same command goes on where it was.",
    )
    calibrate.add_argument(
        "--out",
        metavar="DIR",
        type=own_directory,
        default=Path("runs/calibration"),
        help="default: %(default)s",
    )
    calibrate.add_argument(
        "--runs", metavar="N", type=count, default=RUNS, help="runs per null (default: %(default)s)"
    )
    calibrate.add_argument(
        "--power-runs",
        metavar="N",
        type=count,
        default=POWER_RUNS,
        help="runs per point of a power curve (default: %(default)s)",
    )
    add_engine_options(calibrate, units="runs")
    calibrate.add_argument("--seed", metavar="N", type=seed, default=0, help="default: %(default)s")
    calibrate.add_argument(
        "--only",
        metavar="NAME",
        nargs="+",
        choices=ON_ACTIVATIONS,
        help=f"of {', '.join(ON_ACTIVATIONS)} (default: all)",
    )
    calibrate.set_defaults(command=_calibrate)


def _calibrate(arguments: argparse.Namespace) -> int:
    import pandas as pd

    from if_circuits.analyses.validation.calibration.run import calibrate, costs
    from if_circuits.analyses.validation.calibration.table import calibration_markdown
    from if_circuits.cli.console import StageDisplay, print_table

    with engine_of(arguments) as engine, StageDisplay() as progress:
        summary = calibrate(
            arguments.out,
            runs=arguments.runs,
            power_runs=arguments.power_runs,
            engine=engine,
            seed=arguments.seed,
            analyses=arguments.only or ON_ACTIVATIONS,
            progress=lambda done, total: progress("calibration", done, total),
        )
    print_table(
        ("claim", "null", "false positives", "95 % interval", "runs"),
        [
            (
                row["analysis"],
                row["planted"],
                f"{row['rate']:.3f}",
                f"{row['low']:.3f} to {row['high']:.3f}",
                str(row["runs"]),
            )
            for row in summary["rates"]
            if row["kind"] == "null"
        ],
    )
    print_table(
        ("claim", "CPU seconds of a null run", "runs", "CPU seconds of all"),
        [
            (row["analysis"], f"{row['one_null_run']:.2f}", str(row["runs"]), f"{row['all_runs']:.0f}")
            for row in costs(pd.read_parquet(arguments.out / "runs.parquet")).to_dict("records")
        ],
    )
    sys.stdout.write("\n" + calibration_markdown(summary))
    return 0
