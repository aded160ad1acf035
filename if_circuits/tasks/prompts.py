"""Prompts: every task's constrained prompts with their unconstrained twins, as a tidy table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from random import Random
from typing import Any

import pandas as pd

from if_circuits.errors import InputError
from if_circuits.inputs import as_count
from if_circuits.tasks.registry import get_task, get_tasks
from if_circuits.tasks.suites.choice import CONTROLLED, get_suite
from if_circuits.tasks.suites.suite import BaseQuery, Grade, Suite
from if_circuits.tasks.task import HELD_OUT_PARAPHRASES, Task


def build_prompts(
    tasks: Sequence[Task],
    *,
    n_base_queries: int,
    prompts_per_query: int = 3,
    seed: int = 0,
    held_out_only: bool,
    suite: Suite | None = None,
    kept: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Constrained prompts and their unconstrained twins, one row a prompt.

    The same base queries serve every task. They are those of `suite`, by default the controlled one; of a
    task with several grades, prompts take turns among those that `kept` names, by default all.

    A twin has its constrained prompt's task and parameters, so the same verifier says how often an unasked
    response satisfies the constraint. Prompts of one base query differ in parameters or wording.

    Columns: prompt_id, task, family, base_query, grade, paraphrase, parameters (JSON), constrained, prompt.
    Raises InputError if there are too few base queries or wordings.
    """
    suite = get_suite(CONTROLLED) if suite is None else suite
    queries = suite.draw(n_base_queries, seed=seed, held_out_only=held_out_only)
    rows = [
        row
        for task in tasks
        for query in queries
        for row in prompts_about(
            task,
            query,
            [suite.grade(task, name) for name in (kept or {}).get(task.name, ())] or suite.grades_of(task),
            prompts_per_query=prompts_per_query,
            seed=seed,
            held_out_only=held_out_only and suite.held_out is not None,
        )
    ]
    return pd.DataFrame(rows)


def prompts_about(
    task: Task,
    query: BaseQuery,
    grades: Sequence[Grade],
    *,
    prompts_per_query: int = 1,
    seed: int = 0,
    held_out_only: bool = False,
) -> Iterator[dict[str, Any]]:
    """The rows of one task and base query: so many constrained prompts, each before its twin."""
    wordings = range(min(len(grade.paraphrases) for grade in grades))
    if held_out_only:
        wordings = wordings[-HELD_OUT_PARAPHRASES:]
    if not 1 <= prompts_per_query <= len(wordings):
        raise InputError(
            f"{prompts_per_query} prompts per base query asked for; "
            f"task {task.name!r} has {len(wordings)} wordings"
        )
    # A generator of its own for each pair, so that adding a task or a subject changes no other prompt.
    rng = Random(f"prompts:{seed}:{task.name}:{query.name}")
    paraphrases = rng.sample(wordings, prompts_per_query)
    turns = cycle(grades if len(grades) == 1 else rng.sample(grades, len(grades)))
    for paraphrase, grade in zip(paraphrases, turns, strict=False):
        parameters = grade.draw(rng, query)
        shared = {
            "task": task.name,
            "family": task.family,
            "base_query": query.name,
            "grade": grade.name,
            "paraphrase": paraphrase,
            "parameters": json.dumps(parameters, sort_keys=True),
        }
        identity = "/".join(filter(None, (task.name, query.name, grade.name, str(paraphrase))))
        yield {
            "prompt_id": identity,
            **shared,
            "constrained": True,
            "prompt": grade.prompt(query, parameters, paraphrase=paraphrase),
        }
        yield {
            "prompt_id": f"{identity}/twin",
            **shared,
            "constrained": False,
            "prompt": grade.request(query),
        }


def prompts(
    tasks: str | Task | Sequence[str | Task] | None = None,
    *,
    n: int,
    per_query: int = 1,
    seed: int = 0,
    held_out: bool = True,
    counterparts: bool = False,
    suite: str = CONTROLLED,
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
        suite: "controlled" is the plain English that the embedded models know. "open" has varied requests
            and graded constraints, for all other models; pass `model.preset.suite` for what suits a model.
            `held_out` then plays no part.

    Returns:
        Columns prompt_id, task, family, base_query, grade, paraphrase, parameters (JSON), constrained and
        prompt.

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
        suite=get_suite(suite),
    )
    return table if counterparts else table[table["constrained"]].reset_index(drop=True)
