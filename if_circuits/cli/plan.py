"""`if-circuits plan`: what a study of a model would take on other machines, on paper."""

import argparse
import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from if_circuits.cli.arguments import count, positive
from if_circuits.cli.run import add_sizes, config_of

if TYPE_CHECKING:
    from if_circuits.study.forecast.forecast import Forecast

PROMPT_TOKENS = 65
"""Prompts of the open suite have 70 to 110 characters, four a token, and chat templates about 40 tokens."""

_RATES = {
    "--matrix-rate": ("matrix_rate", "TFLOP/s", 1e12, "TFLOP/s that matrix products reach"),
    "--bandwidth": ("bandwidth", "GB/s", 1e9, "GB/s that the GPU's memory reaches"),
    "--block-ms": ("block_seconds", "MS", 1e-3, "milliseconds to call the operations of one block"),
    "--probe-rate": (
        "probe_rate",
        "GFLOP/s",
        1e9,
        "GFLOP/s of a core on probes: their Gram matrix over their time",
    ),
    "--dollars-per-hour": ("dollars_per_hour", "D", 1.0, "of one GPU; the default is an example"),
}


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    plan: argparse.ArgumentParser = commands.add_parser(
        "plan",
        help="say what a study would take on given GPUs",
        description="Hours, bytes and dollars of a study by stage, from counts and rates. Loads no weights "
        "and needs no network. docs/large-models.md has more on what it assumes.",
    )
    plan.add_argument(
        "model",
        metavar="MODEL",
        help="a preset, a folder with config.json, or a published model: Llama-3.1-8B, Llama-3.1-70B, "
        "Gemma-2-2b, Qwen2.5-0.5B, SmolLM2-135M",
    )
    plan.add_argument(
        "--gpu",
        metavar="NAME",
        default="h100",
        help="a100, h100 or h200, or here: this machine's CPU, measured in a few seconds (default: h100)",
    )
    plan.add_argument("--gpus", metavar="N", type=count, default=1, help="default: 1")
    plan.add_argument(
        "--workers",
        metavar="N",
        type=count,
        default=1,
        help="cores of the host that share probes (default: 1)",
    )
    add_sizes(plan)
    plan.add_argument(
        "--random-subspaces", dest="n_random_subspaces", metavar="N", type=count, help="as for run"
    )
    plan.add_argument("--max-new-tokens", metavar="N", type=count, help="default: the preset's")
    plan.add_argument(
        "--dtype", choices=("float32", "bfloat16", "float16"), help="default: the preset's, else bfloat16"
    )
    plan.add_argument(
        "--prompt-tokens",
        metavar="N",
        type=positive,
        default=PROMPT_TOKENS,
        help="of a mean prompt with its chat template (default: %(default)s)",
    )
    plan.add_argument(
        "--answer-tokens", metavar="N", type=positive, help="of a mean answer (default: 0.45 of the longest)"
    )
    rates = plan.add_argument_group("rates")
    rates.add_argument(
        "--efficiency",
        metavar="SHARE",
        type=positive,
        help="of the published peak of matrix products that is reached (default: 0.5)",
    )
    for option, (name, unit, _, help_text) in _RATES.items():
        rates.add_argument(option, dest=name, metavar=unit, type=positive, help=help_text)
    plan.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    plan.set_defaults(command=_plan)


def _plan(arguments: argparse.Namespace) -> int:
    found = _forecast(arguments)
    if arguments.json:
        sys.stdout.write(json.dumps(found.to_json(), ensure_ascii=False) + "\n")
    else:
        _print(found)
    return 0


def _forecast(arguments: argparse.Namespace) -> "Forecast":
    from if_circuits.models.presets import ModelPreset, find_preset
    from if_circuits.models.settings import RunSettings
    from if_circuits.study.budget import USED_SHARE
    from if_circuits.study.forecast.forecast import forecast
    from if_circuits.study.forecast.machine import EFFICIENCY, HERE, find_machine, with_rates
    from if_circuits.study.forecast.size import find_size
    from if_circuits.study.forecast.work import Lengths, probed_rows
    from if_circuits.tasks.registry import get_tasks

    config = config_of(arguments)
    size = find_size(config.model)
    preset = find_preset(config.model) or find_preset(size.name)
    config = replace(config, model=preset.name if preset else config.model)
    dtype = arguments.dtype or (preset.dtype if preset else "bfloat16")
    settings = RunSettings.of(
        preset or ModelPreset(config.model, "", "", max_new_tokens=128, batch_size=16),
        max_new_tokens=config.max_new_tokens,
        batch_size=config.batch_size,
        layers=config.layers,
    )
    rates = {
        name: None if getattr(arguments, name) is None else getattr(arguments, name) * scale
        for name, _, scale, _ in _RATES.values()
    }
    if arguments.gpu == HERE:
        from if_circuits.study.forecast.measured import measure_here

        measured = measure_here(
            size,
            batch_size=settings.batch_size,
            n_tasks=len(get_tasks(config.tasks)),
            rows=probed_rows(config),
            n_folds=config.settings.n_folds,
        )
        machine = with_rates(measured, **rates)
    else:
        machine = find_machine(arguments.gpu, dtype, efficiency=arguments.efficiency or EFFICIENCY, **rates)
    longest = settings.max_new_tokens
    lengths = Lengths(arguments.prompt_tokens, arguments.answer_tokens or USED_SHARE * longest, longest)
    return forecast(
        config,
        size,
        settings,
        machine,
        gpus=arguments.gpus,
        dtype=dtype,
        lengths=lengths,
        workers=arguments.workers,
    )


def _print(found: "Forecast") -> None:
    from if_circuits.cli.console import print_table

    rows = [
        (
            each.stage.replace("_", " ").replace(".", ": "),
            f"{each.answers:,}" if each.answers else "–",
            f"{each.tokens / 1e6:,.2f}" if each.tokens else "–",
            f"{each.bytes / 1e9:,.2f}" if each.bytes else "–",
            _short(each.hours),
            _short(each.dollars),
        )
        for each in (*found.stages, found.total)
    ]
    print_table(("stage", "answers", "tokens, M", "GB on disk", "hours", "dollars"), rows)
    room = f"{found.memory / 1e9:.1f} GB for weights and cache"
    held = (
        f"{found.gpus_per_copy} x {found.machine.name} hold{'s' if found.gpus_per_copy == 1 else ''} a copy"
    )
    short = "" if found.fits else f", and {found.gpus} were given: reckoned with {found.gpus_per_copy}"
    sys.stdout.write(f"{found.model}: {room}; {held}{short}\n")
    sys.stdout.write(f"Assumes: {'; '.join(found.assumes)}.\n")


def _short(value: float) -> str:
    """Two decimals, and two digits of less than one."""
    return f"{value:,.2f}" if value >= 1 else f"{value:.2g}"
