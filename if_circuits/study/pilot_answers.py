"""What the pilot asks, and the model's answers; what follows from them is in `pilot`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pandas as pd

from if_circuits.errors import InputError
from if_circuits.generation.on_vllm import Writer
from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.generation.shared_answers import distinct_requests, shared_out
from if_circuits.progress import Report
from if_circuits.tasks.prompts import prompts_about
from if_circuits.tasks.suites.suite import Suite
from if_circuits.tasks.task import Task

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel

N_QUERIES = 12
"""Base queries of the pilot; each is asked every grade once."""
UNCONSTRAINED_SAMPLES = 2
"""Answers to each unconstrained request, which all tasks share, so that they cost little."""


def pilot_prompts(
    tasks: Sequence[Task],
    suite: Suite,
    *,
    n_base_queries: int,
    seed: int,
    n_queries: int = N_QUERIES,
    held_out_only: bool = False,
) -> pd.DataFrame:
    """One constrained prompt of every grade for each of the pilot's base queries, and its twin.

    The base queries are none of the `n_base_queries` that a study of this seed draws. Raises InputError where
    too few are left.
    """
    queries = suite.available(held_out_only=held_out_only)
    studied = {query.name for query in suite.draw(n_base_queries, seed=seed, held_out_only=held_out_only)}
    left = [query for query in queries if query.name not in studied]
    if len(left) < n_queries:
        raise InputError(
            f"{n_base_queries} base queries leave {len(left)} of {len(queries)} for the pilot, which "
            f"needs {n_queries}; give at most {len(queries) - n_queries} --base-queries"
        )
    chosen = Random(f"pilot:{seed}").sample(left, n_queries)
    return pd.DataFrame(
        [
            row
            for task in tasks
            for grade in suite.grades_of(task)
            for query in chosen
            for row in prompts_about(
                task, query, [grade], seed=seed, held_out_only=held_out_only and suite.held_out is not None
            )
        ]
    )


def answer_pilot(
    model: LoadedModel,
    prompts: pd.DataFrame,
    settings: GenerationConfig,
    *,
    write: Writer = generate,
    progress: Report | None = None,
) -> pd.DataFrame:
    """One answer to each constrained prompt, and those to the unconstrained requests, each asked once."""
    asked = prompts[prompts["constrained"]].reset_index(drop=True)
    twins = prompts[~prompts["constrained"]].reset_index(drop=True)
    requests = distinct_requests(twins)
    unasked = replace(settings, samples_per_prompt=UNCONSTRAINED_SAMPLES)
    tell = progress or (lambda _, __: None)
    total = len(asked) + UNCONSTRAINED_SAMPLES * len(requests)
    answers = write(
        model,
        asked,
        replace(settings, samples_per_prompt=1),
        progress=lambda done, _: tell(done, total),
    )
    shared = write(model, requests, unasked, progress=lambda done, _: tell(len(asked) + done, total))
    answers = answers.assign(answer=answers["response_id"])
    return pd.concat([answers, shared_out(twins, shared)], ignore_index=True)
