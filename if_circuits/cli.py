"""The command line. Heavy libraries are imported by the commands that need them: help comes at once."""

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Never, TypeVar

from if_circuits import __version__
from if_circuits.analyses.base import ANALYSES, AnalysisSettings
from if_circuits.errors import InputError
from if_circuits.study import StudyConfig

_N = TypeVar("_N", int, float)

DEFAULTS = StudyConfig(model="")

_MODEL_HELP = "a preset (see `if-circuits models`), a local directory, or a name on the Hugging Face hub"
_SETTINGS = {
    "--folds": "n_folds",
    "--bootstrap": "n_bootstrap",
    "--permutations": "n_permutations",
    "--random-subspaces": "n_random_subspaces",
}


class _Parser(argparse.ArgumentParser):
    """Says what is wrong on one line, without the usage around it."""

    def error(self, message: str) -> Never:
        self.exit(2, f"{self.prog}: error: {_one_line(message)}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Returns the exit code: 2 when the user's input cannot be used, 130 when interrupted."""
    parsed = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = parsed.command
    try:
        command(parsed)
    except InputError as error:
        sys.stderr.write(f"if-circuits: error: {_one_line(str(error))}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("if-circuits: stopped; the same command goes on from here\n")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="if-circuits",
        description="How a language model follows instructions: probes, erasure and ablation, as one study.",
    )
    parser.add_argument("--version", action="version", version=f"if-circuits {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_run(commands)
    _add_analyse(commands)
    tasks = commands.add_parser("tasks", help="list the tasks", description="List the tasks of a study.")
    tasks.set_defaults(command=_tasks)
    models = commands.add_parser("models", help="list the presets", description="List the known models.")
    models.set_defaults(command=_models)
    _add_generate(commands)
    return parser


def _add_run(commands: Any) -> None:
    run: argparse.ArgumentParser = commands.add_parser(
        "run",
        help="run a whole study, report included, or go on with one",
        description="Run a whole study, report included. A study that was stopped goes on where it was.",
    )
    run.add_argument("model", metavar="MODEL", help=_MODEL_HELP)
    run.add_argument("--out", metavar="DIR", type=Path, required=True, help="directory of the study")
    run.add_argument("--tasks", metavar="NAME", nargs="+", help="only these tasks (default: all)")
    run.add_argument(
        "--analyses", metavar="NAME", nargs="+", choices=ANALYSES, help="only these (default: all seven)"
    )
    run.add_argument(
        "--base-queries",
        dest="n_base_queries",
        metavar="N",
        type=_count,
        help=f"what to write about: the groups of all statistics (default: {DEFAULTS.n_base_queries})",
    )
    run.add_argument(
        "--prompts",
        dest="prompts_per_query",
        metavar="N",
        type=_count,
        help=f"constrained prompts for each task and base query (default: {DEFAULTS.prompts_per_query})",
    )
    run.add_argument(
        "--samples",
        dest="samples_per_prompt",
        metavar="N",
        type=_count,
        help=f"sampled responses to each prompt (default: {DEFAULTS.samples_per_prompt})",
    )
    run.add_argument(
        "--temperature", metavar="T", type=_temperature, help=f"default: {DEFAULTS.temperature:g}"
    )
    run.add_argument(
        "--no-greedy", dest="greedy", action="store_const", const=False, help="leave the greedy responses out"
    )
    run.add_argument(
        "--layers", metavar="L", nargs="+", type=int, help="layers to read; -1 is embed (default: all)"
    )
    run.add_argument("--batch-size", metavar="N", type=_count, help="default: the preset's")
    run.add_argument("--seed", metavar="N", type=_seed, help=f"default: {DEFAULTS.seed}")
    _add_generation_options(run)
    statistics = run.add_argument_group("statistics")
    for option, name in _SETTINGS.items():
        default = getattr(DEFAULTS.settings, name)
        statistics.add_argument(option, dest=name, metavar="N", type=_count, help=f"default: {default}")
    run.set_defaults(command=_run)


def _add_analyse(commands: Any) -> None:
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


def _add_generate(commands: Any) -> None:
    generate: argparse.ArgumentParser = commands.add_parser(
        "generate",
        help="answer one prompt",
        description="Answer one prompt through the model's chat template.",
    )
    generate.add_argument("model", metavar="MODEL", help=_MODEL_HELP)
    generate.add_argument("--prompt", metavar="TEXT", required=True, help="what the user says")
    decoding = generate.add_mutually_exclusive_group()
    decoding.add_argument("--greedy", action="store_true", help="take the most likely token each time")
    decoding.add_argument("--temperature", metavar="T", type=_temperature, default=1.0, help="default: 1")
    generate.add_argument("--seed", metavar="N", type=_seed, default=0, help="default: 0")
    _add_generation_options(generate)
    generate.add_argument("--json", action="store_true", help="one JSON object instead of text")
    generate.set_defaults(command=_generate)


def _add_generation_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--max-new-tokens", metavar="N", type=_count, help="default: the preset's")
    parser.add_argument(
        "--device", metavar="NAME", default="cpu", help="cpu, cuda, cuda:1, mps (default: cpu)"
    )
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16", "float16"), help="default: the preset's, else float32"
    )


def _run(arguments: argparse.Namespace) -> None:
    given = {name: value for name, value in vars(arguments).items() if value is not None}
    chosen = {item.name: given[item.name] for item in fields(StudyConfig) if item.name in given}
    chosen |= {name: tuple(chosen[name]) for name in ("tasks", "layers", "analyses") if name in chosen}
    settings = {item.name: given[item.name] for item in fields(AnalysisSettings) if item.name in given}
    config = StudyConfig(**chosen, settings=replace(DEFAULTS.settings, **settings))

    from if_circuits.console import StageDisplay, print_study
    from if_circuits.study import Study

    with StageDisplay() as progress:
        study = Study.run(config, arguments.out, progress=progress)
    print_study(study)


def _analyse(arguments: argparse.Namespace) -> None:
    from if_circuits.console import StageDisplay, print_study
    from if_circuits.study import Study

    study = Study.open(arguments.directory)
    with StageDisplay() as progress:
        study.analyse(arguments.only, progress=progress)
    print_study(study)


def _tasks(arguments: argparse.Namespace) -> None:
    del arguments
    from if_circuits.console import print_table
    from if_circuits.tasks.registry import get_tasks

    rows = [(task.name, task.family, task.judge or "exact", task.paraphrases[0]) for task in get_tasks()]
    print_table(("task", "family", "verified by", "a constraint, in one of its wordings"), rows)


def _models(arguments: argparse.Namespace) -> None:
    del arguments
    from if_circuits.console import print_table
    from if_circuits.models.presets import PRESETS

    rows = [
        (preset.name, "in this package" if preset.bundled else preset.source, preset.description)
        for preset in PRESETS
    ]
    print_table(("preset", "from", "what it is"), rows)


def _generate(arguments: argparse.Namespace) -> None:
    if not arguments.prompt.strip():
        raise InputError("--prompt is empty; give the text that the model is to answer")

    import pandas as pd

    from if_circuits.generation import GenerationConfig, generate
    from if_circuits.models.loading import load_model

    model = load_model(arguments.model, device=arguments.device, dtype=arguments.dtype)
    config = GenerationConfig(
        max_new_tokens=arguments.max_new_tokens or model.preset.max_new_tokens,
        temperature=0.0 if arguments.greedy else arguments.temperature,
        seed=arguments.seed,
    )
    prompts = pd.DataFrame({"prompt_id": ["prompt"], "prompt": [arguments.prompt]})
    response = generate(model, prompts, config).iloc[0]
    if arguments.json:
        answer = {
            "prompt": arguments.prompt,
            "response": response["response"],
            "n_tokens": int(response["n_tokens"]),
            "truncated": bool(response["truncated"]),
        }
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
        return
    sys.stdout.write(response["response"] + "\n")
    if response["truncated"]:
        sys.stderr.write(f"(cut after {int(response['n_tokens'])} tokens; see --max-new-tokens)\n")


def _count(text: str) -> int:
    return _number(text, int, lambda value: value >= 1, "a whole number of 1 or more")


def _seed(text: str) -> int:
    return _number(text, int, lambda value: 0 <= value < 2**32, "a whole number from 0 to 4294967295")


def _temperature(text: str) -> float:
    return _number(text, float, lambda value: value > 0 and math.isfinite(value), "a number above 0")


def _number(text: str, kind: type[_N], accepts: Callable[[_N], bool], expected: str) -> _N:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not accepts(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {expected}")
    return value


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    sys.exit(main())
