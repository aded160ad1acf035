"""The prompts that the checks put to a model: the study's own."""

from __future__ import annotations

import pandas as pd

from if_circuits.models.loading import LoadedModel
from if_circuits.study.config import StudyConfig
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.suites.choice import get_suite
from if_circuits.tasks.suites.suite import Suite

STUDY = StudyConfig(model="")
"""The study that a model is examined for: the one that runs unless other options are given."""


def suite_of_model(model: LoadedModel) -> Suite:
    """The suite that a study of this model asks."""
    return get_suite(model.preset.suite)


def study_prompts(
    model: LoadedModel,
    *,
    n_base_queries: int = STUDY.n_base_queries,
    prompts_per_query: int = STUDY.prompts_per_query,
) -> pd.DataFrame:
    """The constrained prompts of a study of this model; without arguments all of them."""
    prompts = build_prompts(
        get_tasks(),
        n_base_queries=n_base_queries,
        prompts_per_query=prompts_per_query,
        seed=STUDY.seed,
        held_out_only=model.preset.held_out_only,
        suite=suite_of_model(model),
    )
    return prompts[prompts["constrained"]].reset_index(drop=True)


def some_rows(model: LoadedModel, *, spare: int) -> list[list[int]]:
    """The ids of one prompt of each task, of differing lengths; cut where `spare` more tokens would not fit
    into the context.
    """
    prompts = study_prompts(model, n_base_queries=1, prompts_per_query=1)["prompt"]
    room = max(2, model.context_length - spare)
    return [ids[-room:] for ids in model.chat.encode(prompts.tolist())]


def longest_prompt(model: LoadedModel) -> int:
    """Tokens of the longest prompt of the study."""
    return max(map(len, model.chat.encode(study_prompts(model)["prompt"].tolist())))
