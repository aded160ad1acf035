"""Verified answers under many conditions: what every causal measurement in behaviour begins with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import pandas as pd

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.shared.labelled_tasks import query_codes, query_halves
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.generation.conditions import responses_under
from if_circuits.generation.responses import GenerationConfig
from if_circuits.interventions.hooks import Intervention
from if_circuits.io.kept import Kept
from if_circuits.models.workers import on_model
from if_circuits.progress import Report
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


@dataclass(frozen=True, eq=False)
class Asked:
    """Prompts and what they are answered under."""

    prompts: pd.DataFrame
    conditions: Mapping[str, Sequence[Intervention]]
    only: Mapping[str, Collection[str]] = field(default_factory=dict[str, Collection[str]])
    """A condition that is named here is for the prompts with these ids, and for no others."""

    def runs(self, config: GenerationConfig, judges: Sequence[tuple[str, str]]) -> list[_Run]:
        """The conditions in runs, whose subspaces lie in memory together."""
        names = list(self.conditions)
        chosen = [
            names[first : first + CONDITIONS_AT_A_TIME]
            for first in range(0, len(names), CONDITIONS_AT_A_TIME)
        ]
        return [
            _Run(
                self.prompts,
                {name: tuple(self.conditions[name]) for name in run},
                {name: frozenset(self.only[name]) for name in run if name in self.only},
                config,
                tuple(judges),
            )
            for run in chosen
        ]


@dataclass(frozen=True, eq=False)
class _Run:
    """Prompts and some of the conditions: a unit of work."""

    prompts: pd.DataFrame
    conditions: Mapping[str, tuple[Intervention, ...]]
    only: Mapping[str, frozenset[str]]
    config: GenerationConfig
    judges: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        first, *_, last = (*self.conditions, *self.conditions)
        return f"the answers to {len(self.prompts)} prompts under {first} to {last}"

    @property
    def what(self) -> object:
        """What its answers are kept under."""
        asked = self.prompts[["prompt_id", "prompt"]].astype(str).to_numpy().tolist()
        only = sorted((name, sorted(ids)) for name, ids in self.only.items())
        return asked, only, self.config, [(name, list(each)) for name, each in self.conditions.items()]

    @property
    def n_answers(self) -> int:
        """Answers that it comes to."""
        asked = sum(len(self.only.get(name, self.prompts)) for name in self.conditions)
        return asked * self.config.samples_per_prompt


def answers_of(model: LoadedModel, run: _Run, progress: Report | None) -> pd.DataFrame:
    """The verified responses of a run."""
    return responses_under(
        model,
        run.prompts,
        run.conditions,
        only=run.only,
        config=run.config,
        judges=run.judges,
        progress=progress,
    )


def answer(
    model: LoadedModel,
    asked: Sequence[Asked],
    *,
    run_settings: RunSettings,
    temperature: float = 0.0,
    samples_per_prompt: int = 1,
    seed: int = 0,
    kept: Kept | None = None,
    engine: Engine = IN_PROCESS,
    progress: Report | None = None,
) -> list[pd.DataFrame]:
    """The verified responses to each of `asked`, greedy by default; satisfied is 0 or 1.

    What `kept` holds of an earlier attempt with this model and code is not generated again; the `engine`
    carries out the rest. `progress` is told how much of that is done.
    """
    config = GenerationConfig.of(
        run_settings, temperature=temperature, samples_per_prompt=samples_per_prompt, seed=seed
    )
    runs = [each.runs(config, run_settings.judges) for each in asked]
    units = [run for several in runs for run in several]

    def make(places: Sequence[int]) -> Iterable[pd.DataFrame]:
        chosen = [units[place] for place in places]
        sizes = [unit.n_answers for unit in chosen]
        return on_model(engine, model, answers_of, chosen, sizes=sizes, progress=progress)

    parts = iter((kept or Kept()).tables([unit.what for unit in units], make))
    found: list[pd.DataFrame] = []
    for several in runs:
        responses = pd.concat(list(islice(parts, len(several))), ignore_index=True)
        responses["satisfied"] = is_satisfied(responses).astype(float)
        found.append(responses)
    return found
