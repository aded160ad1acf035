"""`if-circuits analyse`: the analyses again, on what a study captured."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from if_circuits.analyses.base import ANALYSES
from if_circuits.cli.arguments import add_engine_options, count, engine_of, study_place
from if_circuits.errors import InputError

if TYPE_CHECKING:
    from if_circuits.engine.base import Engine
    from if_circuits.study import Study

_DRAWS = {"labels": 20, "untrained": 3}


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    analyse: argparse.ArgumentParser = commands.add_parser(
        "analyse",
        help="do the analyses again on a cached study",
        description="Do the analyses again on the responses and activations of a study, and its report.",
    )
    analyse.add_argument("directory", metavar="DIR", type=study_place, help="directory or URL of the study")
    analyse.add_argument(
        "--only", metavar="NAME", nargs="+", choices=ANALYSES, help=f"of {', '.join(ANALYSES)} (default: all)"
    )
    analyse.add_argument(
        "--agreed",
        action="store_true",
        help="print the verdicts again on the responses on which two different judges agree; change nothing",
    )
    analyse.add_argument(
        "--null",
        choices=tuple(_DRAWS),
        help="print how often each verdict says supported where there is nothing to find: base queries "
        "exchange their labels, or the model's weights are those before training; the report tells of it",
    )
    analyse.add_argument(
        "--draws", metavar="N", type=count, help="of the null (default: 20 of labels, 3 of weights)"
    )
    add_engine_options(analyse, units="probes and fits")
    analyse.set_defaults(command=_analyse)


def _analyse(arguments: argparse.Namespace) -> int:
    from if_circuits.cli.console import StageDisplay, print_study
    from if_circuits.study import Study

    study = Study.open(arguments.directory)
    if arguments.agreed:
        with engine_of(arguments) as engine:
            return _agreed(study, arguments.only, engine)
    if arguments.null is not None:
        with engine_of(arguments) as engine:
            return _null(study, arguments, engine)
    if arguments.draws is not None:
        raise InputError("--draws is of a null; say which with --null labels or --null untrained")
    with engine_of(arguments) as engine, StageDisplay() as progress:
        study.analyse(arguments.only, engine=engine, progress=progress)
    print_study(study)
    return 0


def _agreed(study: Study, only: list[str] | None, engine: Engine) -> int:
    from if_circuits.analyses.base import get_analysis
    from if_circuits.cli.console import StageDisplay, print_table
    from if_circuits.plotting.numbers import format_number
    from if_circuits.study.closing import agreement_of

    names = [name for name in only or study.config.analyses if not get_analysis(name).uses_model]
    before = {name: study.directory.read_result(name).verdict for name in names}
    with StageDisplay() as progress:
        found = agreement_of(
            study.directory,
            names,
            engine=engine,
            progress=lambda done, total: progress("agreed labels", done, total),
        )
    if found.judges.empty:
        raise InputError(
            f"{study.directory.place} has no judged task with a second judge; install those of the extra "
            "`judges`, or study topic, sentiment, toxicity or register"
        )
    print_table(
        ("judged task", "judge", "second judge", "responses decided", "agree", "kappa"),
        [
            (
                row["task"],
                row["judge"],
                row["second_judge"],
                str(row["n"]),
                f"{100 * row['same_label']:.0f} %",
                format_number(row["kappa"]),
            )
            for row in found.judges.to_dict("records")
        ],
    )
    print_table(
        ("analysis", "verdict", "effect", "n", "on agreed labels", "effect", "n"),
        [
            (
                row["analysis"],
                before[row["analysis"]].verdict,
                format_number(before[row["analysis"]].effect),
                str(before[row["analysis"]].n),
                row["verdict"],
                format_number(row["effect"]),
                str(row["n"]),
            )
            for row in found.verdicts.to_dict("records")
        ],
    )
    return 0


def _null(study: Study, arguments: argparse.Namespace, engine: Engine) -> int:
    from if_circuits.analyses.shared.null_rates import null_rates
    from if_circuits.cli.console import StageDisplay, print_table
    from if_circuits.plotting.numbers import format_number

    draws = arguments.draws or _DRAWS[arguments.null]
    with StageDisplay() as progress:
        table = study.null(arguments.null, arguments.only, draws=draws, engine=engine, progress=progress)
    print_table(
        ("analysis", "supported", "95 % interval", "not supported", "inconclusive", "draws"),
        [
            (
                row["analysis"],
                str(row["supported"]),
                f"[{format_number(row['low'])}, {format_number(row['high'])}]",
                str(row["not_supported"]),
                str(row["inconclusive"]),
                str(row["draws"]),
            )
            for row in null_rates(table).to_dict("records")
        ],
    )
    return 0
