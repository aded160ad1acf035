"""`if-circuits generate`: the answer to one prompt, or two: with a task's subspace removed, and without."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from if_circuits.cli.ablation import answer_both_ways, find_study, fit_targets, prompt_task, target
from if_circuits.cli.arguments import MODEL_HELP, add_generation_options, seed, temperature
from if_circuits.errors import InputError


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    generate: argparse.ArgumentParser = commands.add_parser(
        "generate",
        help="answer one prompt",
        description="Answer one prompt through the model's chat template. With --ablate answer it twice: "
        "intact, and with what a study found of a task projected out at a layer, at the prompt's last token "
        "and every generated one.",
    )
    generate.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    generate.add_argument("--prompt", metavar="TEXT", required=True, help="what the user says")
    decoding = generate.add_mutually_exclusive_group()
    decoding.add_argument("--greedy", action="store_true", help="take the most likely token each time")
    decoding.add_argument(
        "--temperature", metavar="T", type=temperature, help="default: 1; greedy with --ablate"
    )
    generate.add_argument("--seed", metavar="N", type=seed, default=0, help="default: 0")
    add_generation_options(generate)
    ablation = generate.add_argument_group("ablation")
    ablation.add_argument(
        "--ablate",
        metavar="TASK@LAYER",
        type=target,
        action="append",
        default=[],
        help="remove the task's subspace at the layer, such as word_count@4; may be repeated",
    )
    ablation.add_argument(
        "--study",
        metavar="DIR",
        type=Path,
        help="the study whose responses fit subspaces and probes (default: runs/MODEL)",
    )
    ablation.add_argument(
        "--parameters",
        metavar="JSON",
        help="of the ablated task's constraint, where the prompt words it in a way that no task does",
    )
    generate.add_argument("--json", action="store_true", help="one JSON object instead of text")
    generate.set_defaults(command=_generate)


def _generate(arguments: argparse.Namespace) -> int:
    if not arguments.prompt.strip():
        raise InputError("--prompt is empty; give the text that the model is to answer")

    if arguments.ablate:
        return _ablate(arguments)
    if arguments.study is not None or arguments.parameters is not None:
        raise InputError("--study and --parameters say how to ablate; add --ablate TASK@LAYER")

    import pandas as pd

    from if_circuits.generation.responses import GenerationConfig, generate
    from if_circuits.models.loading import load_model

    model = load_model(
        arguments.model,
        device=arguments.device,
        dtype=arguments.dtype,
        device_map=arguments.device_map,
    )
    config = GenerationConfig(
        max_new_tokens=arguments.max_new_tokens or model.preset.max_new_tokens,
        temperature=0.0 if arguments.greedy else arguments.temperature or 1.0,
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
        return 0
    sys.stdout.write(response["response"] + "\n")
    if response["truncated"]:
        sys.stderr.write(f"(cut after {int(response['n_tokens'])} tokens; see --max-new-tokens)\n")
    return 0


def _ablate(arguments: argparse.Namespace) -> int:
    root = find_study(arguments.model, arguments.study)

    from if_circuits.cli.side_by_side import print_side_by_side
    from if_circuits.generation.responses import GenerationConfig
    from if_circuits.models.loading import load_model

    constraint = prompt_task(arguments.prompt, arguments.ablate, arguments.parameters)
    model = load_model(
        arguments.model,
        device=arguments.device,
        dtype=arguments.dtype,
        device_map=arguments.device_map,
    )
    fitted = fit_targets(model, root, arguments.ablate)
    config = GenerationConfig(
        max_new_tokens=arguments.max_new_tokens or model.preset.max_new_tokens,
        temperature=arguments.temperature or 0.0,
        seed=arguments.seed,
    )
    answers = answer_both_ways(model, arguments.prompt, config, fitted=fitted, constraint=constraint)
    if arguments.json:
        baseline, ablated = ({"text": one.text, "satisfied": one.satisfied} for one in answers)
        record = {"prompt": arguments.prompt, "baseline": baseline, "ablated": ablated}
        sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
    else:
        print_side_by_side(*answers, fitted, task=None if constraint is None else constraint[0].name)
    return 0
