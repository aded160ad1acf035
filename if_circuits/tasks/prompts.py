"""Prompts: every task's constrained prompts with their unconstrained twins, as a tidy table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pandas as pd

from if_circuits.errors import InputError
from if_circuits.inputs import as_count
from if_circuits.tasks.queries import draw_subjects, subjects
from if_circuits.tasks.registry import get_task, get_tasks
from if_circuits.tasks.task import HELD_OUT_PARAPHRASES, Task


def build_prompts(
    tasks: Sequence[Task],
    *,
    n_base_queries: int,
    prompts_per_query: int = 3,
    seed: int = 0,
    held_out_only: bool,
) -> pd.DataFrame:
    """Constrained prompts and their unconstrained twins, one row a prompt.

    The same base queries serve every task.

    A twin has its constrained prompt's task and parameters, so the same verifier says how often an unasked
    response satisfies the constraint. Prompts of one base query differ in parameters or wording.

    Columns: prompt_id, task, family, base_query, paraphrase, parameters (JSON), constrained, prompt.
    Raises InputError if there are too few subjects or wordings.
    """
    chosen = draw_subjects(n_base_queries, seed=seed, held_out_only=held_out_only)
    rows = [
        row
        for task in tasks
        for subject in chosen
        for row in _prompts_of(
            task, subject, prompts_per_query=prompts_per_query, seed=seed, held_out_only=held_out_only
        )
    ]
    return pd.DataFrame(rows)


def _prompts_of(
    task: Task, subject: str, *, prompts_per_query: int, seed: int, held_out_only: bool
) -> Iterator[dict[str, Any]]:
    wordings = range(len(task.paraphrases))
    if held_out_only:
        wordings = wordings[-HELD_OUT_PARAPHRASES:]
    if not 1 <= prompts_per_query <= len(wordings):
        raise InputError(
            f"{prompts_per_query} prompts per base query asked for; "
            f"task {task.name!r} has {len(wordings)} wordings"
        )
    # A generator of its own for each pair, so that adding a task or a subject changes no other prompt.
    rng = Random(f"prompts:{seed}:{task.name}:{subject}")
    words = subjects(held_out_only=False)
    for paraphrase in rng.sample(wordings, prompts_per_query):
        parameters = task.draw(rng, subject, words)
        shared = {
            "task": task.name,
            "family": task.family,
            "base_query": subject,
            "paraphrase": paraphrase,
            "parameters": json.dumps(parameters, sort_keys=True),
        }
        identity = f"{task.name}/{subject}/{paraphrase}"
        yield {
            "prompt_id": identity,
            **shared,
            "constrained": True,
            "prompt": task.constrained_prompt(subject, parameters, paraphrase=paraphrase),
        }
        yield {
            "prompt_id": f"{identity}/twin",
            **shared,
            "constrained": False,
            "prompt": task.base_query(subject),
        }


def prompts(
    tasks: str | Task | Sequence[str | Task] | None = None,
    *,
    n: int,
    per_query: int = 1,
    seed: int = 0,
    held_out: bool = True,
    counterparts: bool = False,
) -> pd.DataFrame:
    """Prompts of one or several tasks, one row a prompt; the same base queries serve every task.

    Args:
        tasks: Names, or what `ifc.task` gave; by default the nine of the study.
        n: Base queries: what to write about, and the units of every split and interval.
        per_query: Prompts of each task and base query, in different wordings.
        seed: Another one draws other base queries, wordings and parameters.
        held_out: Only subjects and wordings that the embedded models never saw in training. There are 120
            such subjects and 3 wordings a task. False draws on all 320, for models that were not trained on
            them.
        counterparts: Whether each prompt's unconstrained counterpart stands beside it.

    Returns:
        Columns prompt_id, task, family, base_query, paraphrase, parameters (JSON), constrained, prompt.

    Raises:
        InputError: For unknown tasks, and for more base queries or wordings than there are.

    Example:
        >>> import if_circuits as ifc
        >>> ifc.prompts("json_format", n=100)["prompt"][0]
        'Write a short note about the baby. Answer in JSON, with the single key "message".'
    """
    given = (tasks,) if isinstance(tasks, str | Task) else tasks
    chosen = tuple(each if isinstance(each, Task) else get_task(each) for each in given or get_tasks())
    table = build_prompts(
        chosen,
        n_base_queries=as_count(n, "n"),
        prompts_per_query=as_count(per_query, "per_query"),
        seed=as_count(seed, "seed", least=0),
        held_out_only=held_out,
    )
    return table if counterparts else table[table["constrained"]].reset_index(drop=True)
