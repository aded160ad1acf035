"""Causal ablation in behaviour: remove task A's subspace while the model writes, verify the answers to B's
prompts.

Each half of the base queries has fitted its own subspaces (`task_subspaces`); the prompts of the other half
are answered, greedily: by the intact model, with each task's subspace projected out, and with random
subspaces of the same rank, Gaussian and matched in variance. A hook projects at the layer where the
subspace was fitted, at the prompt's last token and every generated one. The rest of the prompt, and so the
keys and values that it leaves in the cache, stays intact, and layers above may rebuild what was removed.
Removed coordinates are set to their mean over the fitting half's responses, all tasks and positions
together, which is the same centre for removals and controls.

The score is compliance: satisfied over all responses. A task below `FLOOR` cannot fall and has no column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped
from scipy.stats import binomtest

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.ablation_damage import INTACT, damage_table
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.drop_matrix import DropMatrix, HalfScores, average
from if_circuits.analyses.labelled import query_codes, query_halves
from if_circuits.analyses.task_subspaces import HalfFit, control_bases
from if_circuits.erasure.base import Subspace
from if_circuits.errors import InputError
from if_circuits.generation import GenerationConfig, generate_conditions
from if_circuits.interventions.hooks import Intervention
from if_circuits.interventions.operations import ProjectOut
from if_circuits.report.style import ordered_tasks
from if_circuits.tasks.verification import verify

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel

FLOOR = 0.1
"""A task with less compliance when nothing is removed cannot show a drop."""
CEILING = 0.95
"""A task with more compliance is marked: there were few violations to fit its subspace on."""
PROMPTS_PER_TASK = 16
"""Prompts of each task and half; each is answered under every condition."""
MIN_PROMPTS = 5
CONTROL_DRAWS = 3
"""Random subspaces of each kind, for each ablated task and half."""

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


@dataclass(frozen=True, eq=False)
class Behaviour:
    """The matrix of compliance drops, and what the ablations did besides."""

    drops: DropMatrix
    n: Int[np.ndarray, " b"]
    """Prompts of each task, both halves together."""
    p_mcnemar: Float[np.ndarray, "a b"]
    """Exact two-sided test of the removal against the intact model, the same prompts under both."""
    damage: pd.DataFrame
    """One row per kind of condition and ablated task: length, repetition, truncation, compliance off task."""


def measure_behaviour(
    model: LoadedModel, source: ActivationSource, fits: Sequence[HalfFit], *, settings: AnalysisSettings
) -> Behaviour:
    """Answer each half's prompts under the other half's removals and controls, and verify the answers.

    Raises InputError when `model` is not as wide as the source's activations.
    """
    tasks = tuple(ordered_tasks(source.responses["task"].tolist()))
    answers = [_answer(model, source, fit, tasks, settings=settings) for fit in fits]
    queries = np.unique(source.responses["base_query"].to_numpy().astype(str))
    drops = average(tasks, [_scores(half, tasks, queries) for half in answers], floor=0.0)
    can_fall = drops.score >= FLOOR
    intact = pd.concat([half.responses for half in answers]).query("condition == @INTACT")
    return Behaviour(
        drops=replace(drops, excess=np.where(can_fall, drops.excess, np.nan)),
        n=np.array([(intact["task"] == task).sum() for task in tasks]),
        p_mcnemar=_mcnemar(answers, tasks),
        damage=damage_table([(half.responses, half.conditions) for half in answers], tasks),
    )


@dataclass(frozen=True, eq=False)
class _Answers:
    """One half's verified responses and which condition is what."""

    responses: pd.DataFrame
    """With the column condition, and satisfied as 0 or 1."""
    conditions: Mapping[int, Sequence[str]]
    """By number of the ablated task: its removal, then its control draws, kind after kind."""


def _answer(
    model: LoadedModel,
    source: ActivationSource,
    fit: HalfFit,
    tasks: Sequence[str],
    *,
    settings: AnalysisSettings,
) -> _Answers:
    if (width := fit.background.shape[1]) != model.d_model:
        raise InputError(
            f"the activations have d_model = {width}, {model.name} has {model.d_model}: "
            "give the model that they were captured from"
        )
    centre = _centre(source, fit, settings=settings)
    interventions: dict[str, Sequence[Intervention]] = {INTACT: ()}
    conditions: dict[int, list[str]] = {}
    names: dict[bytes, str] = {}
    for a, task in enumerate(tasks):
        subspace = fit.subspaces.get(task)
        if subspace is None or subspace.rank == 0:
            continue
        controls = control_bases(fit, subspace, n=CONTROL_DRAWS, seed=settings.seed)
        conditions[a] = []
        for basis in (subspace.basis, *controls.reshape(-1, *subspace.basis.shape)):
            # Tasks of equal rank share their Gaussian controls: one condition serves them all.
            name = names.setdefault(basis.tobytes(), f"{task}/{len(conditions[a])}")
            conditions[a].append(name)
            operation = ProjectOut(Subspace(basis=basis, mean=centre, name=name))
            interventions.setdefault(name, [Intervention(operation, layers=(fit.layer,))])
    prompts = _prompts(source, half=1 - fit.half, settings=settings)
    config = GenerationConfig(
        max_new_tokens=model.preset.max_new_tokens, temperature=0.0, batch_size=model.preset.batch_size
    )
    responses = verify(generate_conditions(model, prompts, config, interventions))
    responses["satisfied"] = (responses["verdict"] == "satisfied").astype(float)
    return _Answers(responses, conditions)


def _centre(source: ActivationSource, fit: HalfFit, *, settings: AnalysisSettings) -> Float[np.ndarray, " d"]:
    """Mean activation of constrained responses of the fit's half, at its layer, over all positions."""
    fitted = query_halves(source, seed=settings.seed)[query_codes(source)] == fit.half
    rows = fitted & source.responses["constrained"].to_numpy(dtype=bool)
    features = (source.features(fit.layer, position)[rows] for position in source.positions)
    # A position that no response has, as `eos` where all are truncated, has no mean.
    present = (some[~np.isnan(some[:, 0])] for some in features)
    return np.mean([some.mean(axis=0, dtype=np.float64) for some in present if len(some)], axis=0)


def _prompts(source: ActivationSource, *, half: int, settings: AnalysisSettings) -> pd.DataFrame:
    """Up to `PROMPTS_PER_TASK` constrained prompts of each task from one half, of as many base queries as
    can be.
    """
    ours = query_halves(source, seed=settings.seed)[query_codes(source)] == half
    rows = source.responses[ours & source.responses["constrained"].to_numpy(dtype=bool)]
    prompts = rows[_PROMPT_COLUMNS].drop_duplicates("prompt_id").sample(frac=1.0, random_state=settings.seed)
    turn = prompts.groupby(["task", "base_query"]).cumcount()
    prompts = prompts.assign(turn=turn).sort_values(["task", "turn"], kind="stable").drop(columns="turn")
    return prompts.groupby("task", sort=False).head(PROMPTS_PER_TASK).reset_index(drop=True)


def _scores(half: _Answers, tasks: Sequence[str], queries: Shaped[np.ndarray, " q"]) -> HalfScores:
    """Compliance under each condition; a task with fewer than `MIN_PROMPTS` prompts keeps NaN."""
    scores = HalfScores.empty(n_tasks=len(tasks), n_queries=len(queries), n_draws=CONTROL_DRAWS)
    order = [INTACT, *(name for names in half.conditions.values() for name in names)]
    for b, task in enumerate(tasks):
        rows = half.responses[half.responses["task"] == task]
        satisfied = rows.pivot(index=["prompt_id", "base_query"], columns="condition", values="satisfied")
        if len(satisfied) < MIN_PROMPTS:
            continue
        values = satisfied[order].to_numpy(dtype=np.float64)
        compliance = values.mean(axis=0)
        groups = satisfied.index.get_level_values("base_query").to_numpy().astype(str)
        scores.write(
            b,
            compliance,
            (values - compliance) / len(values),
            queries=np.searchsorted(queries, groups),
            ablated=list(half.conditions),
        )
    return scores


def _mcnemar(answers: Sequence[_Answers], tasks: Sequence[str]) -> Float[np.ndarray, "a b"]:
    """Exact McNemar tests on the pairs (intact, removed) of both halves."""
    lost, won = np.zeros((2, len(tasks), len(tasks)), dtype=np.int64)
    for half in answers:
        table = half.responses.pivot(index=["task", "prompt_id"], columns="condition", values="satisfied")
        for a, names in half.conditions.items():
            change = (table[names[0]] - table[INTACT]).groupby(level="task")
            lost[a] += change.agg(lambda x: int((x < 0).sum())).reindex(list(tasks), fill_value=0).to_numpy()
            won[a] += change.agg(lambda x: int((x > 0).sum())).reindex(list(tasks), fill_value=0).to_numpy()
    return np.array(
        [
            [binomtest(int(k), int(n)).pvalue if n else 1.0 for k, n in zip(*pairs, strict=True)]
            for pairs in zip(lost, lost + won, strict=True)
        ]
    )


def floor_notes(drops: DropMatrix) -> list[str]:
    """What floor and ceiling keep the matrix from showing."""
    notes: list[str] = []
    for task, score in zip(drops.tasks, drops.score, strict=True):
        if score < FLOOR:
            notes.append(f"{task} is at the floor (compliance {score:.0%}, nothing removed): it cannot fall")
        elif score > CEILING:
            notes.append(f"{task} is at the ceiling (compliance {score:.0%}): few violations to fit on")
        elif np.isnan(score):
            notes.append(f"{task} has fewer than {MIN_PROMPTS} prompts in a half: behaviour not measured")
    return notes
