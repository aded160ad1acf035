"""`if-circuits known-answers`: the study on models with a planted mechanism, and its verdicts beside the
truth."""

import argparse
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from if_circuits.cli.arguments import count, seed

if TYPE_CHECKING:
    import pandas as pd

    from if_circuits.planting.mechanism import Mechanism

SHIPPED = ("if-tiny-universal", "if-tiny-compositional", "if-tiny-clustered", "if-tiny-monitoring")


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
        "--out", metavar="DIR", type=Path, default=Path("runs/known-answers"), help="default: %(default)s"
    )
    known.add_argument(
        "--workers", metavar="N", type=count, default=2, help="studies at a time (default: %(default)s)"
    )
    known.add_argument(
        "--seed", metavar="N", type=seed, default=0, help="of the studies (default: %(default)s)"
    )
    known.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> int:
    import pandas as pd

    from if_circuits.analyses.validation.known_answers.figure import figure
    from if_circuits.analyses.validation.known_answers.summary import agreement, summarise
    from if_circuits.cli.console import new_console, print_table
    from if_circuits.io.durable import durable_file, write_text
    from if_circuits.io.files import json_text
    from if_circuits.plotting.style import save_png

    out: Path = arguments.out
    given: list[str] = arguments.models or list(SHIPPED)
    names = [_name(each) for each in given]
    mechanisms = {name: _mechanism(each) for name, each in zip(names, given, strict=True)}
    console = new_console(stderr=True)
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        studies = {
            pool.submit(study_one, each, out / name, arguments.seed): name
            for name, each in zip(names, given, strict=True)
        }
        for done in as_completed(studies):
            console.print(f"{studies[done]}: study done, {done.result():.0f} s", markup=False)
    found: list[pd.DataFrame] = []
    recovered: list[Any] = []
    for name in names:
        answers, drawn = _compare(out / name, name, mechanisms[name])
        found.append(answers)
        recovered.append(drawn)
    table = pd.concat(found, ignore_index=True)
    with durable_file(out / "answers.parquet") as partial:
        table.to_parquet(partial, index=False)
    with durable_file(out / "known_answers.png") as partial:
        save_png(figure(recovered), partial)
    agreed = agreement(table)
    with durable_file(out / "agreement.parquet") as partial:
        agreed.to_parquet(partial, index=False)
    write_text(out / "summary.json", json_text(summarise(table, mechanisms)))
    print_table(
        ("model", "question", "planted", "found", "", "effect", "interval"),
        [_cells(row) for row in table.to_dict("records")],
    )
    return 0


def study_one(model: str, out: Path, study_seed: int) -> float:
    """Run one model's study, or the rest of it; gives the seconds that it took."""
    import time

    from if_circuits.study import Study, StudyConfig

    started = time.monotonic()
    Study.run(StudyConfig(model=_as_preset(model), seed=study_seed), out)
    return time.monotonic() - started


def _name(model: str) -> str:
    return Path(model).name


def _as_preset(model: str) -> str:
    """A preset for a checkpoint in a directory: a study asks it what it asks if-tiny."""
    from dataclasses import replace

    from if_circuits.models.presets import IF_TINY, find_preset, register_preset

    if find_preset(model) is not None:
        return model
    name, source = _name(model), str(Path(model).resolve())
    register_preset(replace(IF_TINY, name=name, source=source, bundled=False, description="planted"))
    return name


def _mechanism(model: str) -> "Mechanism":
    from if_circuits.models.loading import locate
    from if_circuits.planting.mechanism import load_mechanism

    return load_mechanism(Path(locate(model)[0]))


def _compare(directory: Path, name: str, mechanism: "Mechanism") -> "tuple[pd.DataFrame, Any]":
    """The answers of a finished study, with the columns model and kind; and what its figure shows."""
    from if_circuits.analyses.validation.known_answers.answers import compare
    from if_circuits.analyses.validation.known_answers.directions import planted_cosines
    from if_circuits.analyses.validation.known_answers.figure import Recovered
    from if_circuits.study import Study
    from if_circuits.threads import one_thread_each

    study = Study.open(directory)
    results, settings = study.results, study.config.settings
    with one_thread_each():
        cosines = planted_cosines(study.activations, mechanism, seed=settings.seed)
    answers = compare(results, cosines, mechanism, alpha=settings.alpha)
    answers.insert(0, "model", name)
    answers.insert(1, "kind", mechanism.kind)
    return answers, Recovered(name, mechanism, results["cross_task_transfer"], results["causal_ablation"])


def _cells(row: "dict[Any, Any]") -> tuple[str, ...]:
    from if_circuits.plotting.numbers import format_number

    interval = f"[{format_number(row['low'])}, {format_number(row['high'])}]"
    effect = format_number(row["effect"])
    return row["model"], row["question"], row["planted"], row["found"], row["right"], effect, interval
