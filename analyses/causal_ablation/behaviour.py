"""Causal ablation in behaviour: project task A's subspace out while the model writes, verify the answers to
B's prompts.

Each half of the base queries fits its own subspaces (`response_directions`); the prompts of the other half
are answered, greedily: by the intact model, with each task's subspace projected out, and with random ones of
the same ranks, Gaussian, and matched in variance but orthogonal to the tasks'. All tasks whose subspaces have
the same ranks share one pool of these: with differences in means, all tasks.

Hooks project at a *start* layer and every layer above it, so that a later layer cannot simply write the
direction again, at the prompt's last token and every generated one. The rest of the prompt, and so the keys
and values that it leaves in the cache, stays intact: what the response reads of the constraint through
attention is still there. Removed coordinates are set to their mean over the fitting half's responses, all
tasks and positions together, which is the same centre for removals and controls.

The start is chosen by its effect, on prompts of the fitting half, which are not reported (`start_layer`).

The score is compliance: satisfied over all responses. A task below `FLOOR` cannot fall and has no column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped
from scipy.stats import binomtest

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.causal_ablation.answers import INTACT, Asked, answer, choose_prompts
from if_circuits.analyses.causal_ablation.drop_matrix import DropMatrix, HalfScores, average
from if_circuits.analyses.causal_ablation.response_directions import ResponseDirections
from if_circuits.analyses.causal_ablation.start_layer import best_start, try_starts
from if_circuits.analyses.shared.families import families_of
from if_circuits.analyses.shared.task_subspaces import CONTROLS
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.interventions.hooks import Intervention
from if_circuits.io.kept import Kept
from if_circuits.progress import Report, part_of

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel
    from if_circuits.models.settings import RunSettings

FLOOR = 0.1
"""A task with less compliance when nothing is removed cannot show a drop."""
CEILING = 0.95
"""A task with more compliance is marked: there were few violations to fit its direction on."""
PROMPTS_PER_TASK = 12
"""Prompts of each task and half; each is answered under every condition."""
MIN_PROMPTS = 5
_ANSWER_COLUMNS = (
    "task",
    "family",
    "prompt_id",
    "base_query",
    "condition",
    "prompt",
    "response",
    "verdict",
    "reason",
)
"""What is kept of each answer."""


@dataclass(frozen=True, eq=False)
class HalfAnswers:
    """One half's verified responses and which condition is what."""

    directions: ResponseDirections
    """As the other half fitted them."""
    start: int
    conditions: Mapping[str, Sequence[Intervention]]
    """By name: intact, a removal by its task, controls by kind, number and pool."""
    responses: pd.DataFrame
    """With the column condition, and satisfied as 0 or 1."""

    def names(self, task: str) -> dict[str, str]:
        """The conditions that bear on a task: its removal, then the control draws, kind after kind.

        To each belongs its name among all halves, whose pools of controls are their own.
        """
        pools = self.directions.pools(start=self.start)
        own = next(str(number) for number, tasks in enumerate(pools) if task in tasks)
        controls = {name: name.rpartition("/")[0] for name in self.conditions if name.endswith(f"/{own}")}
        return {task: task, **controls}


@dataclass(frozen=True, eq=False)
class Behaviour:
    """The matrix of compliance drops, and what it was made of."""

    drops: DropMatrix
    n: Int[np.ndarray, " b"]
    """Prompts of each task, both halves together."""
    p_mcnemar: Float[np.ndarray, "a b"]
    """Exact two-sided test of the removal against the intact model, the same prompts under both."""
    removed: pd.DataFrame
    """What was removed: half, task, layer, method, rank."""
    starts: pd.DataFrame
    """What the choice of the start layers was made on: half, layer, own_drop, control_drop, n."""
    halves: tuple[HalfAnswers, ...]


def measure_behaviour(
    model: LoadedModel,
    source: ActivationSource,
    fits: Sequence[ResponseDirections],
    *,
    settings: AnalysisSettings,
    run_settings: RunSettings,
    kept: Kept | None = None,
    engine: Engine = IN_PROCESS,
    progress: Report | None = None,
) -> Behaviour:
    """Answer each half's prompts under the other half's removals and controls, and verify the answers.

    What `kept` holds of an earlier attempt is not generated again; the `engine` carries out the rest, and
    `progress` is told how much is done.
    Raises InputError when `model` is not as wide as the source's activations.
    """
    tasks = tuple(families_of(source.responses))
    # A choice of starts and the matrix are of like length.
    tried = try_starts(
        model,
        source,
        fits,
        settings=settings,
        run_settings=run_settings,
        kept=kept,
        engine=engine,
        progress=part_of(progress, 0, 2),
    )
    starts = [best_start(table) for table in tried]
    asked = [
        _asked(source, fit, tasks, start=start, settings=settings)
        for fit, start in zip(fits, starts, strict=True)
    ]
    answers = answer(
        model,
        asked,
        run_settings=run_settings,
        kept=kept,
        engine=engine,
        progress=part_of(progress, 1, 2),
    )
    halves = tuple(
        HalfAnswers(fit, start, each.conditions, responses)
        for fit, start, each, responses in zip(fits, starts, asked, answers, strict=True)
    )
    queries = np.array(source.base_queries)
    drops = average(tasks, [_scores(half, tasks, queries, settings=settings) for half in halves], floor=0.0)
    can_fall = drops.score >= FLOOR
    intact = pd.concat([half.responses for half in halves]).query("condition == @INTACT")
    return Behaviour(
        drops=replace(drops, excess=np.where(can_fall, drops.excess, np.nan)),
        n=np.array([(intact["task"] == task).sum() for task in tasks]),
        p_mcnemar=_mcnemar(halves, tasks),
        removed=pd.DataFrame(
            [row for half in halves for row in _removed(half, tasks)],
            columns=["half", "task", "layer", "method", "rank"],
        ),
        starts=pd.concat(tried, ignore_index=True),
        halves=halves,
    )


def _asked(
    source: ActivationSource,
    fit: ResponseDirections,
    tasks: Sequence[str],
    *,
    start: int,
    settings: AnalysisSettings,
) -> Asked:
    """The other half's prompts, and what they are answered under."""
    conditions: dict[str, Sequence[Intervention]] = {INTACT: ()}
    conditions |= {task: fit.removal(task, start=start) for task in tasks if task in fit.subspaces}
    for number, pool in enumerate(fit.pools(start=start)):
        for kind in CONTROLS:
            draws = fit.controls(kind, pool, start=start, n=settings.n_random_subspaces, seed=settings.seed)
            conditions |= {f"{kind}/{i}/{number}": draw for i, draw in enumerate(draws)}
    prompts = choose_prompts(source, half=1 - fit.half, per_task=PROMPTS_PER_TASK, seed=settings.seed)
    return Asked(prompts, conditions)


def _scores(
    half: HalfAnswers,
    tasks: Sequence[str],
    queries: Shaped[np.ndarray, " q"],
    *,
    settings: AnalysisSettings,
) -> HalfScores:
    """Compliance under each condition; a task with fewer than `MIN_PROMPTS` prompts keeps NaN."""
    scores = HalfScores.empty(n_tasks=len(tasks), n_queries=len(queries), n_draws=settings.n_random_subspaces)
    ablated = [a for a, task in enumerate(tasks) if task in half.conditions]
    order = [INTACT, *(name for a in ablated for name in half.names(tasks[a]))]
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
            ablated=ablated,
        )
    return scores


def _removed(half: HalfAnswers, tasks: Sequence[str]) -> Iterator[dict[str, object]]:
    """One row for each task and layer at which its subspace was projected out."""
    fit = half.directions
    for task in (task for task in tasks if task in fit.subspaces):
        for layer in (layer for layer in fit.layers if layer >= half.start):
            rank = fit.subspaces[task][layer].rank
            yield {"half": fit.half, "task": task, "layer": layer, "method": fit.method, "rank": rank}


def _mcnemar(halves: Sequence[HalfAnswers], tasks: Sequence[str]) -> Float[np.ndarray, "a b"]:
    """Exact McNemar tests on the pairs (intact, removed) of both halves; NaN where nothing was removed."""
    lost, won, pairs = np.zeros((3, len(tasks), len(tasks)), dtype=np.int64)
    for half in halves:
        table = half.responses.pivot(index=["task", "prompt_id"], columns="condition", values="satisfied")
        for a, name in enumerate(tasks):
            if name not in half.conditions:
                continue
            change = (table[name] - table[INTACT]).groupby(level="task")
            for total, count in (
                (lost, change.agg(lambda x: int((x < 0).sum()))),
                (won, change.agg(lambda x: int((x > 0).sum()))),
                (pairs, change.size()),
            ):
                total[a] += count.reindex(list(tasks), fill_value=0).to_numpy()
    p = np.array(
        [
            [float(binomtest(int(k), int(m)).pvalue) if m else 1.0 for k, m in zip(*row, strict=True)]
            for row in zip(lost, lost + won, strict=True)
        ]
    )
    return np.where(pairs > 0, p, np.nan)


def kept_answers(halves: Sequence[HalfAnswers]) -> pd.DataFrame:
    """The answers behind the matrix, to be read: intact, under each removal, and under the first control draw
    of each kind. `ablated` names the removal, or the control's kind, and is empty for the intact model.
    """
    parts: list[pd.DataFrame] = []
    for half in halves:
        condition = half.responses["condition"].astype(str)
        kind = condition.str.partition("/")[0]
        kept = (kind == condition) | condition.str.contains("/0/", regex=False)
        parts.append(
            half.responses.loc[kept, list(_ANSWER_COLUMNS)].assign(
                half=half.directions.half, ablated=kind.where(kind != INTACT, "")[kept]
            )
        )
    return pd.concat(parts, ignore_index=True)


def floor_notes(drops: DropMatrix, unasked: Mapping[str, float]) -> list[str]:
    """What floor and ceiling keep the matrix from showing.

    `unasked` is the compliance of greedy answers to each task's unconstrained twins: a model that forgets
    the constraint falls to it, and no further.
    """
    notes: list[str] = []
    for task, score in zip(drops.tasks, drops.score, strict=True):
        if score < FLOOR:
            notes.append(f"{task} is at the floor (compliance {score:.0%}, nothing removed): it cannot fall")
        elif score > CEILING:
            notes.append(f"{task} is at the ceiling (compliance {score:.0%}): few violations to fit on")
        elif np.isnan(score):
            notes.append(f"{task} has fewer than {MIN_PROMPTS} prompts in a half: behaviour not measured")
        if task in unasked and unasked[task] > score - FLOOR:
            notes.append(
                f"{task} is satisfied unasked as often ({unasked[task]:.0%}): forgetting it costs nothing"
            )
    return notes
