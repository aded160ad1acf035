"""`if-circuits generate`: the answer to one prompt, or two: with a task's subspace removed, and without."""

import argparse
import json
import sys
from dataclasses import replace
from typing import Any

from if_circuits.cli.ablation import find_study, load_as_in, prompt_task, target, to_json
from if_circuits.cli.arguments import MODEL_HELP, add_generation_options, seed, study_place, temperature
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
        "--temperature", metavar="T", type=temperature, help="default: the preset's; greedy with --ablate"
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
        type=study_place,
        help="the study whose responses fit subspaces and probes, and that says how: its erasure "
        "method, its judges and, unless given here, its length, device and precision (default: runs/MODEL)",
    )
    ablation.add_argument(
        "--parameters",
        metavar="JSON",
        help="of the ablated task's constraint, where the prompt words it in a way that no task does",
    )
    generate.add_argument("--json", action="store_true", help="one JSON object instead of text")
    generate.set_defaults(command=_generate, device=None)


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
    from if_circuits.models.settings import RunSettings

    model = load_model(
        arguments.model,
        device=arguments.device or "cpu",
        dtype=arguments.dtype,
        device_map=arguments.device_map,
    )
    config = GenerationConfig.of(
        RunSettings.of(
            model.preset,
            max_new_tokens=arguments.max_new_tokens,
            temperature=arguments.temperature,
            top_p=arguments.top_p,
        ),
        temperature=0.0 if arguments.greedy else None,
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
    from if_circuits.study import Study
    from if_circuits.study.targets import Target, answer_both_ways, fit_targets

    targets = [Target(task, layer) for task, layer in arguments.ablate]
    constraint = prompt_task(arguments.prompt, targets, arguments.parameters)
    study = Study.open(root)
    run_settings = study.run_settings
    if arguments.max_new_tokens is not None:
        run_settings = replace(run_settings, max_new_tokens=arguments.max_new_tokens)
    if arguments.top_p is not None:
        run_settings = replace(run_settings, top_p=arguments.top_p)
    model = load_as_in(study, arguments)
    fitted = fit_targets(study, model, targets)
    baseline, ablated = answer_both_ways(
        model,
        arguments.prompt,
        fitted,
        run_settings=run_settings,
        constraint=constraint,
        temperature=arguments.temperature or 0.0,
        seed=arguments.seed,
    )
    if arguments.json:
        both = {"baseline": baseline, "ablated": ablated}
        record = to_json(arguments.prompt, both, fitted, constraint=constraint, judges=run_settings.judges)
        sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
    else:
        print_side_by_side(baseline, ablated, fitted, task=None if constraint is None else constraint[0].name)
    return 0
