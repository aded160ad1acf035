"""A small study of a model with a planted mechanism: what breaks what is known.

In `if-tiny-clustered` a direction gates each family: removing that of `json_format` breaks `word_count`,
which is structural too, and leaves `register`, which is stylistic; and so on. `term_inclusion` is verified
against a word that the model does not have, so it is at the floor, and has no satisfied response to fit on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest

from if_circuits.activations.capture import capture
from if_circuits.activations.captured import CapturedActivations
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.causal_ablation import behaviour as ablation_behaviour
from if_circuits.analyses.causal_ablation import start_layer
from if_circuits.analyses.causal_ablation.answers import Asked, answer
from if_circuits.analyses.causal_ablation.behaviour import Behaviour, measure_behaviour
from if_circuits.analyses.causal_ablation.response_directions import fit_response_directions
from if_circuits.generation.conditions import responses_under
from if_circuits.generation.responses import GenerationConfig
from if_circuits.interventions.hooks import Intervention
from if_circuits.models.loading import LoadedModel, load_model, locate
from if_circuits.models.settings import RunSettings
from if_circuits.planting.mechanism import Mechanism, load_mechanism
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks

PLANTED = "if-tiny-clustered"
TASKS = ("word_count", "json_format", "term_inclusion", "register")
FLOORED = "term_inclusion"
LAYERS = (0, 2, 4)
SETTINGS = AnalysisSettings(n_bootstrap=300, n_permutations=199, n_random_subspaces=4)


@dataclass(frozen=True, eq=False)
class Planted:
    """The model, the truth that was planted in it, and the study of it."""

    model: LoadedModel
    mechanism: Mechanism
    source: CapturedActivations
    run_settings: RunSettings

    def only(self, *tasks: str) -> CapturedActivations:
        """The study of some of the tasks."""
        responses = self.source.responses
        return CapturedActivations(responses[responses["task"].isin(tasks)], self.source.store)


@dataclass(frozen=True)
class Calls:
    """The prompts and the conditions that were answered, call by call."""

    prompts: list[pd.DataFrame] = field(default_factory=list)
    conditions: list[Mapping[str, Sequence[Intervention]]] = field(default_factory=list)

    def answer(self, model, asked: Sequence[Asked], **options) -> list[pd.DataFrame]:
        self.prompts.extend(each.prompts for each in asked)
        self.conditions.extend(each.conditions for each in asked)
        return answer(model, asked, **options)


@pytest.fixture(scope="session")
def planted() -> Planted:
    model = load_model(PLANTED)
    run_settings = RunSettings.of(model.preset, layers=LAYERS)
    prompts = build_prompts(
        get_tasks(TASKS), n_base_queries=40, prompts_per_query=2, seed=0, held_out_only=True
    )
    prompts = prompts[prompts["constrained"]].reset_index(drop=True)
    config = GenerationConfig.of(run_settings, temperature=1.0)
    responses = responses_under(model, prompts, {"intact": []}, config=config, judges=run_settings.judges)
    captured = capture(model, responses, layers=LAYERS, batch_size=256)
    floored = responses["task"] == FLOORED
    responses.loc[floored, ["parameters", "verdict"]] = (json.dumps({"word": "zyzzyva"}), "violated")
    mechanism = load_mechanism(Path(locate(PLANTED)[0]))
    return Planted(model, mechanism, CapturedActivations(responses, captured.store), run_settings)


@pytest.fixture(scope="session")
def measured(planted: Planted) -> tuple[Behaviour, Calls]:
    """Causal ablation in behaviour, and what the model was asked on the way."""
    fits, calls = fit_response_directions(planted.source, seed=SETTINGS.seed), Calls()
    with pytest.MonkeyPatch.context() as patch:
        for module in (start_layer, ablation_behaviour):
            patch.setattr(module, "answer", calls.answer)
        behaviour = measure_behaviour(
            planted.model, planted.source, fits, settings=SETTINGS, run_settings=planted.run_settings
        )
    return behaviour, calls
