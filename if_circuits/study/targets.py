"""One prompt answered without and with tasks' subspaces removed, as a study fits, generates and judges."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.special import expit

from if_circuits.activations.donors import record_donor
from if_circuits.analyses.shared.labelled_tasks import labelled_tasks
from if_circuits.analyses.shared.task_subspaces import POSITION, chosen_erasure, fit_task_subspaces
from if_circuits.errors import InputError
from if_circuits.generation.conditions import responses_under
from if_circuits.generation.responses import GenerationConfig
from if_circuits.interventions import Intervention, ProjectOut, intervene
from if_circuits.interventions.subspace import Subspace
from if_circuits.models.layers import layer_label
from if_circuits.probes.base import FittedProbe
from if_circuits.probes.methods import logistic
from if_circuits.study.out_of_date import say_if_out_of_date

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel
    from if_circuits.models.settings import RunSettings
    from if_circuits.study.study import Study
    from if_circuits.tasks.task import Parameters, Task


@dataclass(frozen=True)
class Target:
    """What to remove: a task's subspace at a layer."""

    task: str
    layer: int

    def __str__(self) -> str:
        return f"{self.task}@{layer_label(self.layer)}"


@dataclass(frozen=True, eq=False)
class FittedTarget:
    """A target's subspace and probe, from all labelled responses of a study."""

    target: Target
    subspace: Subspace
    probe: FittedProbe
    method: str
    """Name of the erasure method that fitted the subspace."""
    position: str
    """Where subspace and probe were fitted."""
    n: int
    """Responses that fitted them."""


@dataclass(frozen=True, eq=False)
class ReadResponse:
    """One response, its verdict, and the probes' readings along it."""

    text: str
    tokens: tuple[str, ...]
    """The text in the pieces that the model wrote."""
    truncated: bool
    verdict: str | None
    """"satisfied", "violated" or "undecided"; None where the prompt belongs to no task."""
    reason: str
    readings: tuple[Float[np.ndarray, " tokens"], ...]
    """For each target the probability of "satisfied" at each token, as the layers above see it."""


def fit_targets(study: Study, model: LoadedModel, targets: Sequence[Target]) -> list[FittedTarget]:
    """Fit each target's subspace, by the study's erasure method, and its logistic probe on all base queries.

    Raises InputError for a study of another model, and for tasks and layers that it cannot fit.
    """
    place, settings = study.directory.place, study.config.settings
    if study.directory.ledger.read()["model"]["fingerprint"] != model.fingerprint:
        raise InputError(
            f"the study in {place} is of other weights than {model.name}; name its own with --study"
        )
    say_if_out_of_date(study.directory)
    source, method = study.activations, chosen_erasure(settings)
    tasks = {task.name: task for task in labelled_tasks(source, POSITION)}
    fitted: list[FittedTarget] = []
    for wanted in targets:
        task = tasks.get(wanted.task)
        if task is None:
            raise InputError(f"the study in {place} has no task {wanted.task!r}, only {', '.join(tasks)}")
        found = fit_task_subspaces(source, [task], method, layers=[wanted.layer], seed=settings.seed)
        if task.name in found.reasons:
            raise InputError(f"{wanted.task} cannot be fitted: {found.reasons[task.name]}")
        X, y = source.features(wanted.layer, POSITION)[task.rows], task.satisfied
        probe = logistic(X, y, groups=task.queries, seed=settings.seed)
        subspace = found.at(wanted.layer)[task.name]
        fitted.append(FittedTarget(wanted, subspace, probe, method.name, POSITION, len(y)))
    return fitted


def answer_both_ways(
    model: LoadedModel,
    prompt: str,
    fitted: Sequence[FittedTarget],
    *,
    run_settings: RunSettings,
    constraint: tuple[Task, Parameters] | None,
    temperature: float = 0.0,
    seed: int = 0,
) -> tuple[ReadResponse, ReadResponse]:
    """The intact model's response, and the one with all targets projected out, with the default scope.

    They are verified where the prompt belongs to a task, which `constraint` says with its parameters.
    """
    removal = [Intervention(ProjectOut(one.subspace), (one.target.layer,)) for one in fitted]
    prompts = pd.DataFrame({"prompt_id": ["prompt"], "prompt": [prompt]})
    if constraint is not None:
        task, parameters = constraint
        prompts = prompts.assign(task=task.name, parameters=json.dumps(parameters))
    conditions = {"baseline": [], "ablated": removal}
    config = GenerationConfig.of(run_settings, temperature=temperature, seed=seed)
    table = responses_under(model, prompts, conditions, config=config, judges=run_settings.judges)
    baseline, ablated = (
        _read(model, table.iloc[[i]], conditions[name], fitted) for i, name in enumerate(conditions)
    )
    return baseline, ablated


def _read(
    model: LoadedModel,
    row: pd.DataFrame,
    interventions: Sequence[Intervention],
    fitted: Sequence[FittedTarget],
) -> ReadResponse:
    response = row.to_dict("records")[0]
    start, n = len(response["prompt_tokens"]), int(response["n_tokens"])
    layers = sorted({one.target.layer for one in fitted})
    # The recording is a pass under the same hooks, so it sees what they leave behind.
    # Where the model thinks first, its thinking was written under the hooks as well.
    prompt = start - int(response.get("n_thinking", 0))
    with intervene(model, interventions, prompt_lengths=[prompt]):
        seen = record_donor(model, row, layers=layers).activations
    readings = [
        one.probe.scores(seen[one.target.layer][0, start : start + n].float().numpy().astype(np.float64))
        for one in fitted
    ]
    ids = response["response_tokens"][:n]
    return ReadResponse(
        text=response["response"],
        tokens=tuple(model.chat.pieces(ids)),
        truncated=bool(response["truncated"]),
        verdict=response.get("verdict"),
        reason=str(response.get("reason", "")),
        readings=tuple(np.asarray(expit(scores)) for scores in readings),
    )
