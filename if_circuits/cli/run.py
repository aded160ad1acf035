"""`if-circuits run`: a whole study, or the rest of one that was stopped."""

import argparse
from dataclasses import fields, replace
from typing import Any

from if_circuits.analyses.base import ANALYSES, AnalysisSettings
from if_circuits.cli.arguments import (
    MODEL_HELP,
    add_engine_options,
    add_generation_options,
    count,
    engine_of,
    seed,
    study_place,
    temperature,
)
from if_circuits.errors import InputError
from if_circuits.study import StudyConfig
from if_circuits.study.config import GENERATORS, STORE_DTYPES, SUITES

DEFAULTS = StudyConfig(model="")

_SETTINGS = {
    "--folds": "n_folds",
    "--bootstrap": "n_bootstrap",
    "--permutations": "n_permutations",
    "--random-subspaces": "n_random_subspaces",
}


_OWN_PROMPTS = {
    "n_base_queries": "--base-queries",
    "prompts_per_query": "--prompts-per-query",
    "suite": "--suite",
}


_SIZES = {
    "n_base_queries": "--base-queries",
    "layers": "--layers",
    "n_random_subspaces": "--random-subspaces",
}
"""What a budget decides."""


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    run: argparse.ArgumentParser = commands.add_parser(
        "run",
        help="run a whole study, report included, or go on with one",
        description="Run a whole study, report included. A study that was stopped goes on where it was.",
    )
    run.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    run.add_argument(
        "--out",
        metavar="DIR",
        type=study_place,
        required=True,
        help="directory of the study, or a URL such as s3://bucket/runs/x",
    )
    add_sizes(run)
    run.add_argument(
        "--prompts",
        metavar="FILE",
        help="prompts in IFEval's format (JSON Lines) instead of ours: all that a task verifies",
    )
    run.add_argument(
        "--suite",
        choices=SUITES,
        help="prompts: open has varied requests, graded constraints and a pilot that chooses the grades; "
        "controlled the plain English of the embedded models (default: the preset's, open without one)",
    )
    run.add_argument(
        "--judge",
        dest="judges",
        metavar="WHAT=JUDGE",
        type=_judge,
        action="append",
        help="judge sentiment, toxicity, topic or register by another judge: sentiment=vader, or a "
        "Hugging Face classifier, sentiment=hf:NAME or sentiment=hf:NAME?positive=LABEL_1; may be repeated",
    )
    run.add_argument(
        "--temperature",
        metavar="T",
        type=temperature,
        help="of the sampled responses (default: the preset's, or what the checkpoint says, else 1)",
    )
    run.add_argument(
        "--budget",
        metavar="TIME",
        type=_time,
        help="such as 20m or 2h: the largest study that is expected to fit, from a few timed seconds; says "
        "beforehand what it will do, and how wide the intervals will be",
    )
    run.add_argument(
        "--generator",
        choices=GENERATORS,
        help="what writes the responses without interventions: bridge, the model itself, or vllm where that "
        f"is installed, which the study records (default: {DEFAULTS.generator})",
    )
    run.add_argument("--seed", metavar="N", type=seed, help=f"default: {DEFAULTS.seed}")
    add_generation_options(run)
    statistics = run.add_argument_group("statistics")
    for option, name in _SETTINGS.items():
        default = getattr(DEFAULTS.settings, name)
        statistics.add_argument(option, dest=name, metavar="N", type=count, help=f"default: {default}")
    statistics.add_argument(
        "--erasure",
        metavar="NAME",
        help="erasure method of causal ablation, in representation and in behaviour: inlp, mean_difference, "
        "or one of an installed package (default: inlp in representation, and in behaviour the difference "
        "in means along the response)",
    )
    add_engine_options(run, units="probes and fits of the analyses")
    run.set_defaults(command=_run)


def add_sizes(parser: argparse.ArgumentParser) -> None:
    """Options that say how large a study is."""
    parser.add_argument("--tasks", metavar="NAME", nargs="+", help="only these tasks (default: all)")
    parser.add_argument(
        "--analyses", metavar="NAME", nargs="+", choices=ANALYSES, help="only these (default: all)"
    )
    parser.add_argument(
        "--base-queries",
        dest="n_base_queries",
        metavar="N",
        type=count,
        help=f"what to write about: the groups of all statistics (default: {DEFAULTS.n_base_queries})",
    )
    parser.add_argument(
        "--prompts-per-query",
        dest="prompts_per_query",
        metavar="N",
        type=count,
        help=f"constrained prompts for each task and base query (default: {DEFAULTS.prompts_per_query})",
    )
    parser.add_argument(
        "--samples",
        dest="samples_per_prompt",
        metavar="N",
        type=count,
        help=f"sampled responses to each prompt (default: {DEFAULTS.samples_per_prompt})",
    )
    parser.add_argument(
        "--no-greedy", dest="greedy", action="store_const", const=False, help="leave the greedy responses out"
    )
    parser.add_argument(
        "--layers", metavar="L", nargs="+", type=int, help="layers to read; -1 is embed (default: all)"
    )
    parser.add_argument(
        "--batch-size",
        metavar="N",
        type=count,
        help="default: as the study has it; for a new one the preset's, or fewer where memory is short",
    )
    parser.add_argument(
        "--store-dtype",
        choices=STORE_DTYPES,
        help="type of the stored activations, where model is that of the weights (default: as the study has "
        "it, float32 for a new one)",
    )


def _time(text: str) -> float:
    from if_circuits.study.budget import seconds_of

    try:
        return seconds_of(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _judge(text: str) -> tuple[str, str]:
    name, equals, judge = text.partition("=")
    if not (name and equals and judge):
        raise argparse.ArgumentTypeError(f"{text!r} is not WHAT=JUDGE, as in sentiment=hf:NAME")
    return name, judge


def config_of(arguments: argparse.Namespace) -> StudyConfig:
    """The study that options ask for; what they leave open is as in `StudyConfig`."""
    given = {name: value for name, value in vars(arguments).items() if value is not None}
    chosen = {item.name: given[item.name] for item in fields(StudyConfig) if item.name in given}
    several = ("tasks", "layers", "analyses", "judges")
    chosen |= {name: tuple(chosen[name]) for name in several if name in chosen}
    if "prompts" in chosen and (unused := set(_OWN_PROMPTS) & set(chosen)):
        options = " and ".join(sorted(_OWN_PROMPTS[name] for name in unused))
        raise InputError(f"{options} cannot go with --prompts, which takes all prompts of its file")
    settings = {item.name: given[item.name] for item in fields(AnalysisSettings) if item.name in given}
    return StudyConfig(**chosen, settings=replace(DEFAULTS.settings, **settings))


def _run(arguments: argparse.Namespace) -> int:
    given = {name for name, value in vars(arguments).items() if value is not None}
    if "budget" in given and (sized := set(_SIZES) & given):
        options = " and ".join(sorted(_SIZES[name] for name in sized))
        raise InputError(f"--budget chooses {options}: give either")
    config = config_of(arguments)

    from if_circuits.cli.console import StageDisplay, print_study
    from if_circuits.study import Study

    with engine_of(arguments) as engine, StageDisplay() as progress:
        study = Study.run(config, arguments.out, budget=arguments.budget, engine=engine, progress=progress)
    print_study(study)
    return 0
