"""The responses of a model under interventions, as one table: what most scripts want."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from if_circuits.generation.responses import (
    GenerationConfig,
    Prompts,
    generate_conditions,
)
from if_circuits.interventions.hooks import Intervention
from if_circuits.models.settings import RunSettings
from if_circuits.progress import Report
from if_circuits.tasks.judges.choice import usual_judges
from if_circuits.tasks.verification import judged_properties, verify

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel


def responses_under(
    model: LoadedModel,
    prompts: Prompts,
    conditions: Mapping[str, Intervention | Sequence[Intervention]],
    *,
    only: Mapping[str, Collection[str]] | None = None,
    config: GenerationConfig | None = None,
    judges: Iterable[tuple[str, str]] | None = None,
    progress: Report | None = None,
) -> pd.DataFrame:
    """The response to each prompt under each condition, generated in one run: the table of
    `generate_conditions`, verified where the prompts belong to tasks.

    A condition is one intervention or several; `[]` is the intact model. One that `only` names is for the
    prompts with these ids alone. Prompts are texts, or a table as
    `build_prompts` makes it: with the columns task and parameters, the responses have a verdict and its
    reason. Decoding is greedy, and of the preset's length, unless `config` says otherwise; `judges` are
    the model's usual ones (`usual_judges`) unless others are given, as (property, judge).
    """
    if config is None:
        config = GenerationConfig.of(RunSettings.of(model.preset), temperature=0.0)
    several = {
        name: [given] if isinstance(given, Intervention) else given for name, given in conditions.items()
    }
    responses = generate_conditions(model, prompts, config, several, only=only, progress=progress)
    if not {"task", "parameters"} <= set(responses.columns):
        return responses
    if judges is None:
        judges = usual_judges(model.preset, judged_properties(responses["task"].unique()))
    return verify(responses, chosen=judges)
