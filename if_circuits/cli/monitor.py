"""`if-circuits monitor`: a local page on which a model answers while a study's probes read along."""

import argparse
import sys
from pathlib import Path
from typing import Any

from if_circuits.cli.arguments import MODEL_HELP, add_device_options, count, study_place
from if_circuits.errors import InputError


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    monitor: argparse.ArgumentParser = commands.add_parser(
        "monitor",
        help="watch a model write, with the probes of a study",
        description="Serve a page on this machine alone: type a prompt, and the answer comes token by token "
        "with the readings of a study's probes, and the verdict so far; remove or add a task's directions "
        "and see both answers side by side. The address holds a secret: whoever has it can use the model.",
    )
    monitor.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    monitor.add_argument(
        "--study",
        metavar="DIR",
        type=study_place,
        help="the study that fits probes and directions (default: runs/MODEL, where there is one)",
    )
    monitor.add_argument("--port", metavar="N", type=count, help="default: a free one")
    add_device_options(monitor)
    monitor.set_defaults(command=_monitor)


def _monitor(arguments: argparse.Namespace) -> int:
    try:
        from if_circuits.monitor.serving import serve
    except ModuleNotFoundError as error:
        raise InputError(
            f"the monitor needs {error.name}, which is not installed: pip install 'if-circuits[monitor]'"
        ) from error

    from if_circuits.cli.ablation import load_as_in
    from if_circuits.models.loading import load_model
    from if_circuits.monitor.subject import subject_of
    from if_circuits.study import Study

    usual = Path("runs") / Path(arguments.model).name
    root = arguments.study if arguments.study is not None else usual if usual.is_dir() else None
    if root is None:
        model = load_model(
            arguments.model,
            device=arguments.device or "cpu",
            dtype=arguments.dtype,
            device_map=arguments.device_map,
        )
        subject = subject_of(model, None)
    else:
        study = Study.open(root)
        subject = subject_of(load_as_in(study, arguments), study)
    serve(subject, port=arguments.port, announce=lambda address: print_address(address, root))
    return 0


def print_address(address: str, study: Path | str | None) -> None:
    """Say where the page is, and which study reads along."""
    with_study = f"with the study in {study}" if study is not None else "without a study: no readings"
    sys.stdout.write(f"{address}\n{with_study}; Ctrl+C ends it\n")
    sys.stdout.flush()
