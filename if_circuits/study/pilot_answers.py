"""What the pilot asks, and the model's answers; what follows from them is in `pilot`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Protocol

import pandas as pd

from if_circuits.errors import InputError
from if_circuits.generation.parts import in_parts
from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.generation.shared_answers import distinct_requests, shared_out
from if_circuits.progress import Report
from if_circuits.tasks.prompts import prompts_about
from if_circuits.tasks.suites.suite import Suite
from if_circuits.tasks.task import Task

if TYPE_CHECKING:
    from if_circuits.generation.on_vllm import Writer
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


@dataclass(frozen=True)
class Asked:
    """Some prompts of the pilot, and how they are answered: a unit of work."""

    prompts: pd.DataFrame
    settings: GenerationConfig

    def __str__(self) -> str:
        return f"{len(self.prompts)} prompts of the pilot"

    @property
    def n(self) -> int:
        """Answers that come of it."""
        return len(self.prompts) * self.settings.samples_per_prompt


def answer_asked(
    model: LoadedModel, asked: Asked, progress: Report | None, /, *, write: Writer | None = None
) -> pd.DataFrame:
    """The answers to some prompts, the model's own where there is no other writer."""
    return (write or generate)(model, asked.prompts, asked.settings, progress=progress)


class Ask(Protocol):
    """Has units of work answered, `sizes` answers each, in their order."""

    def __call__(self, units: Sequence[Asked], /, *, sizes: Sequence[int]) -> Iterable[pd.DataFrame]:
        """The answers of each unit."""
        ...


def answer_pilot(prompts: pd.DataFrame, settings: GenerationConfig, ask: Ask) -> pd.DataFrame:
    """One answer to each constrained prompt, and those to the unconstrained requests, each asked once."""
    twins = prompts[~prompts["constrained"]].reset_index(drop=True)
    asked, requests = prompts[prompts["constrained"]], distinct_requests(twins)
    once = replace(settings, samples_per_prompt=1)
    often = replace(settings, samples_per_prompt=UNCONSTRAINED_SAMPLES)
    units = [*_units(asked, once), *_units(requests, often)]
    answered = list(ask(units, sizes=[unit.n for unit in units]))
    n = len(in_parts(len(asked)))
    answers, shared = (pd.concat(some, ignore_index=True) for some in (answered[:n], answered[n:]))
    answers = answers.assign(answer=answers["response_id"])
    return pd.concat([answers, shared_out(twins, shared)], ignore_index=True)


def _units(prompts: pd.DataFrame, settings: GenerationConfig) -> list[Asked]:
    return [Asked(prompts.iloc[rows].reset_index(drop=True), settings) for rows in in_parts(len(prompts))]
