"""An answer without and with tasks' subspaces removed, and what their probes read in both, token by token."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from jaxtyping import Float

    from if_circuits.generation.responses import GenerationConfig
    from if_circuits.interventions.subspace import Subspace
    from if_circuits.models.loading import LoadedModel
    from if_circuits.probes.base import FittedProbe
    from if_circuits.tasks.task import Parameters, Task

from if_circuits.errors import InputError
from if_circuits.models.layers import EMBED, layer_label
from if_circuits.tasks.labels import Label

POSITION = "last"
"""Where subspaces and probes are fitted."""


@dataclass(frozen=True)
class Target:
    """What to remove: a task's subspace at a layer."""

    task: str
    layer: int

    def __str__(self) -> str:
        return f"{self.task}@{layer_label(self.layer)}"


@dataclass(frozen=True, eq=False)
class Fitted:
    """A target's subspace and probe, from all labelled responses of a study."""

    target: Target
    subspace: Subspace
    probe: FittedProbe
    n: int
    """Responses that fitted them."""


@dataclass(frozen=True, eq=False)
class Answer:
    """One response, its verdict, and the probes' readings along it."""

    text: str
    tokens: tuple[str, ...]
    """The text in the pieces that the model wrote."""
    satisfied: bool | None
    """None where no verifier can tell, or the prompt belongs to no task."""
    reason: str
    readings: tuple[Float[np.ndarray, " tokens"], ...]
    """For each target the probability of "satisfied" at each token, as the layers above see it."""


def target(text: str) -> Target:
    """Read TASK@LAYER from the command line."""
    task, at, layer = text.partition("@")
    try:
        number = EMBED if layer == layer_label(EMBED) else int(layer)
    except ValueError:
        number = None
    if not task or not at or number is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not TASK@LAYER, such as word_count@4")
    return Target(task, number)


def find_study(model: str, given: Path | None) -> Path:
    """The directory that subspaces come from. Raises InputError, with the command that makes one."""
    root = given if given is not None else Path("runs") / Path(model).name
    if not root.is_dir():
        raise InputError(
            f"there is no study in {root} to take subspaces from; make one with "
            f"`if-circuits run {model} --out {root}`, or name another with --study"
        )
    return root


def fit_targets(model: LoadedModel, root: Path, targets: Sequence[Target]) -> list[Fitted]:
    """Fit each target's INLP subspace and logistic probe on all base queries of a study.

    Raises InputError for a study of another model, and for tasks and layers that it cannot fit.
    """
    from if_circuits.activations.captured import CapturedActivations
    from if_circuits.activations.store import ActivationStore
    from if_circuits.analyses.shared.labelled_tasks import labelled_tasks
    from if_circuits.erasure.inlp import Inlp
    from if_circuits.generation.sampling import sampled
    from if_circuits.probes.methods import logistic
    from if_circuits.study import Study

    study = Study.open(root)
    if study.directory.ledger.read()["model"]["fingerprint"] != model.fingerprint:
        raise InputError(
            f"the study in {root} is of other weights than {model.name}; name its own with --study"
        )
    responses, seed = study.responses, study.config.settings.seed
    source = CapturedActivations(sampled(responses), ActivationStore.open(study.directory.activations))
    tasks = {task.name: task for task in labelled_tasks(source, POSITION)}
    fitted: list[Fitted] = []
    for wanted in targets:
        task = tasks.get(wanted.task)
        if task is None:
            raise InputError(f"the study in {root} has no task {wanted.task!r}, only {', '.join(tasks)}")
        if shortage := task.shortage():
            raise InputError(f"{wanted.task} cannot be fitted: {shortage}")
        X, y = source.features(wanted.layer, POSITION)[task.rows], task.satisfied
        subspace = Inlp().fit(X, y, groups=task.queries, seed=seed)
        probe = logistic(X, y, groups=task.queries, seed=seed)
        fitted.append(Fitted(wanted, replace(subspace, name=str(wanted)), probe, len(y)))
    return fitted


def prompt_task(
    prompt: str, targets: Sequence[Target], parameters: str | None
) -> tuple[Task, Parameters] | None:
    """The task that the prompt belongs to: the one whose wording it has, or with `parameters` (JSON) the one
    that is ablated.

    Raises InputError for parameters that are not those of one ablated task.
    """
    from if_circuits.tasks.recognise import recognise
    from if_circuits.tasks.registry import get_tasks

    tasks = get_tasks(wanted.task for wanted in targets)
    if parameters is None:
        return recognise(prompt)
    if len(tasks) != 1:
        raise InputError("--parameters are those of the ablated task's constraint, and several are ablated")
    (task,) = tasks
    names = {name for _, name, *_ in Formatter().parse(task.paraphrases[0]) if name}
    try:
        given: Any = json.loads(parameters)
    except json.JSONDecodeError:
        given = None
    if not isinstance(given, dict) or set(given) != names:
        example = json.dumps(dict.fromkeys(sorted(names), "..."))
        raise InputError(f"--parameters {parameters} is not a JSON object such as {example} for {task.name}")
    return task, given


def answer_both_ways(
    model: LoadedModel,
    prompt: str,
    config: GenerationConfig,
    *,
    fitted: Sequence[Fitted],
    constraint: tuple[Task, Parameters] | None,
) -> tuple[Answer, Answer]:
    """The intact model's answer, and the one with all targets projected out, with the default scope."""
    import pandas as pd

    from if_circuits.generation.conditions import responses_under
    from if_circuits.interventions import Intervention, ProjectOut

    removal = [Intervention(ProjectOut(one.subspace), (one.target.layer,)) for one in fitted]
    prompts = pd.DataFrame({"prompt_id": ["prompt"], "prompt": [prompt]})
    if constraint is not None:
        task, parameters = constraint
        prompts = prompts.assign(task=task.name, parameters=json.dumps(parameters))
    conditions = {"baseline": [], "ablated": removal}
    table = responses_under(model, prompts, conditions, config=config)
    baseline, ablated = (
        _answer(model, table.iloc[[i]], conditions[name], fitted) for i, name in enumerate(conditions)
    )
    return baseline, ablated


def _answer(
    model: LoadedModel, row: pd.DataFrame, interventions: Sequence[Any], fitted: Sequence[Fitted]
) -> Answer:
    import numpy as np
    from scipy.special import expit

    from if_circuits.activations.donors import record_donor
    from if_circuits.interventions import intervene

    response = row.to_dict("records")[0]
    start, n = len(response["prompt_tokens"]), int(response["n_tokens"])
    layers = sorted({one.target.layer for one in fitted})
    # The recording is a pass under the same hooks, so it sees what they leave behind.
    with intervene(model, interventions, prompt_lengths=[start]):
        seen = record_donor(model, row, layers=layers).activations
    readings = [
        one.probe.scores(seen[one.target.layer][0, start : start + n].float().numpy().astype(np.float64))
        for one in fitted
    ]
    ids = response["response_tokens"][:n]
    texts = [model.chat.decode(ids[:i]) for i in range(n + 1)]
    verdict = response.get("verdict")
    return Answer(
        text=response["response"],
        tokens=tuple(longer[len(shorter) :] for shorter, longer in zip(texts, texts[1:], strict=False)),
        satisfied={Label.SATISFIED.value: True, Label.VIOLATED.value: False}.get(str(verdict)),
        reason=str(response.get("reason", "")),
        readings=tuple(np.asarray(expit(scores)) for scores in readings),
    )
