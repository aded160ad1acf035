"""What `if-circuits generate --ablate` is asked, and how its answers are put into JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any, cast

from if_circuits.errors import InputError
from if_circuits.models.layers import EMBED, layer_label

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel
    from if_circuits.models.presets import DType
    from if_circuits.study import Study
    from if_circuits.study.targets import FittedTarget, ReadResponse, Target
    from if_circuits.tasks.task import Parameters, Task


def target(text: str) -> tuple[str, int]:
    """Read TASK@LAYER from the command line."""
    task, at, layer = text.partition("@")
    try:
        number = EMBED if layer == layer_label(EMBED) else int(layer)
    except ValueError:
        number = None
    if not task or not at or number is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not TASK@LAYER, such as word_count@4")
    return task, number


def find_study(model: str, given: str | Path | None) -> str | Path:
    """The directory or URL that subspaces come from. Raises InputError, with the command that makes one."""
    root = given if given is not None else Path("runs") / Path(model).name
    if isinstance(root, Path) and not root.is_dir():
        raise InputError(
            f"there is no study in {root} to take subspaces from; make one with "
            f"`if-circuits run {model} --out {root}`, or name another with --study"
        )
    return root


def load_as_in(study: Study, arguments: argparse.Namespace) -> LoadedModel:
    """The model where and as precisely as the study ran it, unless the command line says otherwise."""
    from if_circuits.models.loading import load_model

    asked = arguments.device is not None or arguments.device_map is not None
    placed = arguments if asked else study.config
    return load_model(
        arguments.model,
        device=placed.device or "cpu",
        dtype=cast("DType | None", arguments.dtype or study.config.dtype),
        device_map=placed.device_map,
    )


def prompt_task(
    prompt: str, targets: Sequence[Target], parameters: str | None
) -> tuple[Task, Parameters] | None:
    """The task that the prompt belongs to: the one whose wording it has, or with `parameters` (JSON) the one
    that is ablated.

    Raises InputError for parameters that are not those of one ablated task.
    """
    from if_circuits.tasks.recognise import recognise
    from if_circuits.tasks.registry import get_tasks

    tasks = get_tasks(wanted.task for wanted in targets)
    if parameters is None:
        return recognise(prompt)
    if len(tasks) != 1:
        raise InputError("--parameters are those of the ablated task's constraint, and several are ablated")
    (task,) = tasks
    names = {name for _, name, *_ in Formatter().parse(task.paraphrases[0]) if name}
    try:
        given: Any = json.loads(parameters)
    except json.JSONDecodeError:
        given = None
    if not isinstance(given, dict) or set(given) != names:
        example = json.dumps(dict.fromkeys(sorted(names), "..."))
        raise InputError(f"--parameters {parameters} is not a JSON object such as {example} for {task.name}")
    return task, given


def judge_of(task: Task, chosen: Sequence[tuple[str, str]]) -> str | None:
    """The name of the judge that decides the task's verdict; None where it is verified exactly."""
    from if_circuits.tasks.judges.choice import judge_names

    return None if task.judge is None else judge_names([task.judge], chosen)[task.judge]


def to_json(
    prompt: str,
    responses: Mapping[str, ReadResponse],
    fitted: Sequence[FittedTarget],
    *,
    constraint: tuple[Task, Parameters] | None,
    judges: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """All that was asked, removed and found, as JSON values; readings are one probability a token."""
    task, parameters = (None, None) if constraint is None else constraint
    return {
        "prompt": prompt,
        "task": None if task is None else task.name,
        "parameters": parameters,
        "judge": None if task is None else judge_of(task, judges),
        "targets": [
            {
                "task": one.target.task,
                "layer": one.target.layer,
                "method": one.method,
                "rank": one.subspace.rank,
                "position": one.position,
                "n": one.n,
            }
            for one in fitted
        ],
        **{name: _response(response, fitted) for name, response in responses.items()},
    }


def _response(response: ReadResponse, fitted: Sequence[FittedTarget]) -> dict[str, Any]:
    return {
        "text": response.text,
        "verdict": response.verdict,
        "reason": response.reason,
        "n_tokens": len(response.tokens),
        "truncated": response.truncated,
        "readings": [
            {"task": one.target.task, "layer": one.target.layer, "probabilities": values.tolist()}
            for one, values in zip(fitted, response.readings, strict=True)
        ],
    }
