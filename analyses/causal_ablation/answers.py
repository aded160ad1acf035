"""Verified answers under many conditions: what every causal measurement in behaviour begins with."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.shared.labelled_tasks import query_codes, query_halves
from if_circuits.generation.conditions import responses_under
from if_circuits.generation.responses import GenerationConfig
from if_circuits.interventions.hooks import Intervention
from if_circuits.io.kept import Kept
from if_circuits.progress import Report, part_of
from if_circuits.tasks.labels import is_satisfied

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel
    from if_circuits.models.settings import RunSettings

INTACT = "intact"
"""The condition under which nothing is removed."""
CONDITIONS_AT_A_TIME = 32
"""Conditions in one run, whose subspaces lie in memory together."""

_PROMPT_COLUMNS = [
    "prompt_id",
    "task",
    "family",
    "base_query",
    "paraphrase",
    "parameters",
    "constrained",
    "prompt",
]


def choose_prompts(
    source: ActivationSource, *, half: int, per_task: int, seed: int, constrained: bool = True
) -> pd.DataFrame:
    """Up to `per_task` prompts of each task from one half, of as many base queries as can be."""
    ours = query_halves(source, seed=seed)[query_codes(source)] == half
    rows = source.responses[ours & (source.responses["constrained"].to_numpy(dtype=bool) == constrained)]
    prompts = rows[_PROMPT_COLUMNS].drop_duplicates("prompt_id").sample(frac=1.0, random_state=seed)
    turn = prompts.groupby(["task", "base_query"]).cumcount()
    prompts = prompts.assign(turn=turn).sort_values(["task", "turn"], kind="stable").drop(columns="turn")
    return prompts.groupby("task", sort=False).head(per_task).reset_index(drop=True)


def answer(
    model: LoadedModel,
    prompts: pd.DataFrame,
    conditions: Mapping[str, Sequence[Intervention]],
    *,
    run_settings: RunSettings,
    only: Mapping[str, Collection[str]] | None = None,
    temperature: float = 0.0,
    samples_per_prompt: int = 1,
    seed: int = 0,
    kept: Kept | None = None,
    progress: Report | None = None,
) -> pd.DataFrame:
    """The verified responses under each condition, greedy by default; satisfied is 0 or 1.

    A condition that `only` names is for the prompts with these ids, and for no others.
    What `kept` holds of an earlier attempt with this model and code is not generated again.
    `progress` is told how much of the work is done.
    """
    config = GenerationConfig.of(
        run_settings, temperature=temperature, samples_per_prompt=samples_per_prompt, seed=seed
    )
    names = list(conditions)
    runs = [
        names[first : first + CONDITIONS_AT_A_TIME] for first in range(0, len(names), CONDITIONS_AT_A_TIME)
    ]
    asked = prompts[["prompt_id", "prompt"]].astype(str).to_numpy().tolist()

    def make(number: int) -> pd.DataFrame:
        return responses_under(
            model,
            prompts,
            {name: conditions[name] for name in runs[number]},
            only={name: only[name] for name in runs[number] if only is not None and name in only},
            config=config,
            judges=run_settings.judges,
            progress=part_of(progress, number, len(runs)),
        )

    parts = [
        (kept or Kept()).table(
            (asked, config, [(name, list(conditions[name])) for name in run]), partial(make, number)
        )
        for number, run in enumerate(runs)
    ]
    responses = pd.concat(parts, ignore_index=True)
    responses["satisfied"] = is_satisfied(responses).astype(float)
    return responses
