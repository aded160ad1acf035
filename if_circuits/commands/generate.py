"""`if-circuits generate`: the answer to one prompt."""

import argparse
import json
import sys
from typing import Any

from if_circuits.commands.arguments import MODEL_HELP, add_generation_options, seed, temperature
from if_circuits.errors import InputError


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    generate: argparse.ArgumentParser = commands.add_parser(
        "generate",
        help="answer one prompt",
        description="Answer one prompt through the model's chat template.",
    )
    generate.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    generate.add_argument("--prompt", metavar="TEXT", required=True, help="what the user says")
    decoding = generate.add_mutually_exclusive_group()
    decoding.add_argument("--greedy", action="store_true", help="take the most likely token each time")
    decoding.add_argument("--temperature", metavar="T", type=temperature, default=1.0, help="default: 1")
    generate.add_argument("--seed", metavar="N", type=seed, default=0, help="default: 0")
    add_generation_options(generate)
    generate.add_argument("--json", action="store_true", help="one JSON object instead of text")
    generate.set_defaults(command=_generate)


def _generate(arguments: argparse.Namespace) -> int:
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
        return 0
    sys.stdout.write(response["response"] + "\n")
    if response["truncated"]:
        sys.stderr.write(f"(cut after {int(response['n_tokens'])} tokens; see --max-new-tokens)\n")
    return 0
