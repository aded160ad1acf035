"""Localisation: at which layer and position does the residual stream carry a constraint?

Decodability says where a constraint can be read. Here it is changed: a prompt that asks for a constraint is
read with a text that satisfies it and one that violates it, and what the residual stream holds at a layer
and position is set to what it holds behind the prompt that does not ask (`activations.interchange`). The
shift of log-odds, as a share of the whole difference between the two prompts, is the causal map.

- *The map* exchanges the whole residual stream, at the prompt's end, at the response's tokens, and at both.
  Once what a constraint does has reached these tokens, every later layer carries it, so the map says from
  where on. Beside it: the reverse direction, and displacements of the same length at random.
- *One direction* is exchanged at each layer, at both: the difference in means of satisfied and violated
  responses, fitted on one half of the base queries and tried on the other half's. A task is *carried* at the
  layer at which it makes up the largest share, among those where its shift exceeds its placebo's (p adjusted
  by Benjamini and Hochberg over all cells of all tasks <= alpha); nowhere if there is none. Depth is (layer +
  1) / blocks.
- *Subspaces* of other methods are compared at that layer, on one footing.
- *Dependencies* between tasks: what one task's direction, at its layer, does to the others (`edges`).
- *Plain prompts* that take the constraint back, or say it twice, stand on the same axis.

The claim is that of layer stratification, a rung higher: structural constraints are carried at early layers,
semantic ones late. The rule is that of `shared.layer_trend`, over the tasks that are carried at a layer. The
layer's rule was fixed on the first training seed of each kind of planted model, whose gates lie at layer 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from if_circuits.activations.interchange_pairs import interchange_pairs
from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import Analysis, AnalysisResult, AnalysisSettings, Evidence, no_verdict
from if_circuits.analyses.localisation.carried import carried_table, depths_carried, layer_at
from if_circuits.analyses.localisation.compared import compare_subspaces
from if_circuits.analyses.localisation.dependencies import measure_dependencies
from if_circuits.analyses.localisation.experiment import Experiment, Trial
from if_circuits.analyses.localisation.figure import draw
from if_circuits.analyses.localisation.plain_prompts import plain_prompts
from if_circuits.analyses.localisation.shifts import Shifts, joined, shifts_of, summarise
from if_circuits.analyses.localisation.subspaces import ONE_DIRECTION, one_direction
from if_circuits.analyses.shared.families import families_of
from if_circuits.analyses.shared.labelled_tasks import labelled_tasks, query_halves
from if_circuits.analyses.shared.layer_trend import judge_trend
from if_circuits.analyses.shared.task_subspaces import POSITION
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.erasure.das import MOST_EXAMPLES
from if_circuits.interventions.interchange import PLACES, Interchange, interchanges
from if_circuits.io.kept import Kept
from if_circuits.models.settings import RunSettings
from if_circuits.progress import Report, part_of
from if_circuits.statistics.bootstrap import interval_of
from if_circuits.statistics.correction import benjamini_hochberg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from if_circuits.models.loading import LoadedModel

PAIRS = 24
"""Pairs of each task, each of another base query."""
MIN_PAIRS = 10
"""A task with fewer is recorded with the reason."""
MOST_LAYERS = 12
"""Blocks that are exchanged, at most: of more, those evenly apart that end with the last one."""
TOKENS = 32
"""Tokens of each text that are read."""
WHOLE = "whole streams"
"""What the parts of the map are kept under."""


def passes_of(n_tasks: int, n_layers: int) -> int:
    """Readings of a prompt with its text that the analysis takes at most.

    Prompts are read once for all interchanges, and what is left of a reading counts as half of one.
    At each layer: the whole stream at three positions, the reverse, and one direction, the last three with
    their placebos; at one layer the subspaces, and both ways of changing every task's
    direction. What DAS learns on single tokens hardly counts.
    """
    at_each = 8 * min(n_layers, MOST_LAYERS) + 24 + 2 * n_tasks
    return n_tasks * (PAIRS * at_each + 4 * MOST_EXAMPLES)


def run(
    source: ActivationSource,
    settings: AnalysisSettings,
    *,
    model: LoadedModel | None = None,
    run_settings: RunSettings | None = None,
    kept: Kept | None = None,
    engine: Engine = IN_PROCESS,
    progress: Report | None = None,
) -> AnalysisResult:
    """The map of every task, the layer that carries it, and the verdict by the rule of this module.

    `model` must be the one whose activations `source` holds; without it nothing can be exchanged. What `kept`
    holds of an earlier attempt is not read again. Further tables: `carried` (the layer of each task with its
    interval), `subspaces` (what each method's subspace carries there), `dependencies` and `isolation` (what
    one task's direction does to others) and `plain_prompts` (what a sentence would have done).
    """
    del run_settings  # nothing is generated
    families = families_of(source.responses)
    pairs = pairs_of(source.responses, settings)
    left_out = {
        name: f"{n} pairs of texts that satisfy and violate; {MIN_PAIRS} are needed"
        for name in families
        if (n := int((pairs["task"] == name).sum())) < MIN_PAIRS
    }
    names = [name for name in families if name not in left_out]
    rule = "needs a model, and a task with texts that satisfy and violate it"
    if model is None or not names:
        why = "no model was given to exchange activations in" if model is None else "no task has enough pairs"
        empty = pd.DataFrame({"task": list(families), "family": list(families.values())})
        empty["reason"] = [left_out.get(name, why) for name in families]
        notes = (why, *(f"{name}: {reason}" for name, reason in left_out.items() if model is not None))
        return AnalysisResult(ANALYSIS.name, empty, no_verdict(ANALYSIS.claim, rule, notes))

    halves = query_halves(source, seed=settings.seed)
    tasks = {task.name: task for task in labelled_tasks(source, POSITION)}
    layers, kept = _layers(source), kept or Kept()
    by_task = {name: (pairs[pairs["task"] == name].reset_index(drop=True), tasks[name]) for name in names}
    experiment = Experiment(model, source, by_task, halves, settings, TOKENS, kept, engine)
    measured = _measure(experiment, layers, part_of(progress, 0, 2))
    table = summarise([each for found in measured.values() for each in found], settings)
    table.insert(1, "family", table["task"].map(families))
    table["p_adjusted"] = benjamini_hochberg(table["p"].to_numpy())
    table["survives"] = table["p_adjusted"] <= settings.alpha
    found, resampled = depths_carried(table, measured, source, settings)
    carried = carried_table(table, found, resampled, source)
    at_layer = {name: layer_at(at, source) for name, at in zip(names, found.tolist(), strict=True)}
    compared = compare_subspaces(experiment, at_layer, progress=part_of(progress, 2, 4))
    dependencies, isolation = measure_dependencies(experiment, at_layer, progress=part_of(progress, 3, 4))
    tried = pairs[pairs["task"].isin(names)].reset_index(drop=True)
    plain = kept.table(
        "plain prompts",
        partial(plain_prompts, model, source, tried, settings=settings, tokens=TOKENS),
    )
    n = len(set(tried["base_query"]))
    verdict = judge_trend(
        ANALYSIS.claim,
        [families[name] for name in names],
        found,
        resampled,
        lambda tau, draws: interval_of(tau, draws, n_groups=n, confidence=1 - settings.alpha),
        settings,
        verb="are carried",
    )
    nowhere = [
        f"{name}: {_why_nowhere(table, name)}" for name, at in zip(names, found, strict=True) if np.isnan(at)
    ]
    notes = (*verdict.notes, *nowhere, *(f"{name}: {reason}" for name, reason in left_out.items()))
    rows = [{"task": name, "family": families[name], "reason": why} for name, why in left_out.items()]
    table = pd.concat([table, pd.DataFrame(rows)], ignore_index=True) if rows else table
    tables = {
        "carried": carried,
        "subspaces": compared,
        "dependencies": dependencies,
        "isolation": isolation,
        "plain_prompts": plain,
    }
    return AnalysisResult(ANALYSIS.name, table, replace(verdict, notes=notes), tables)


def pairs_of(responses: pd.DataFrame, settings: AnalysisSettings) -> pd.DataFrame:
    """Pairs of every task; none where the responses have no tokens or no unconstrained counterparts."""
    if not {"prompt_id", "prompt_tokens", "response_tokens", "parameters"} <= set(responses):
        return pd.DataFrame({"task": [], "base_query": []})
    return interchange_pairs(responses, n=PAIRS, seed=settings.seed)


def _layers(source: ActivationSource) -> list[int]:
    """The captured blocks, or those of them evenly apart; `embed` is the same in both runs."""
    blocks = [layer for layer in source.layers if layer >= 0]
    if len(blocks) <= MOST_LAYERS:
        return blocks
    return [blocks[round(place)] for place in np.linspace(0, len(blocks) - 1, MOST_LAYERS)]


def _measure(
    experiment: Experiment, layers: Sequence[int], progress: Report | None
) -> dict[str, list[Shifts]]:
    """By task, its map and the shifts of one direction by layer."""
    trials = [
        trial
        for name in experiment.tasks
        for trial in (
            _of_whole_streams(experiment, name, layers),
            *_of_one_direction(experiment, name, layers),
        )
    ]
    measured: dict[str, list[Shifts]] = {name: [] for name in experiment.tasks}
    parts: dict[tuple[str, int], list[Shifts]] = {}
    for trial, moved in zip(trials, experiment.moved(trials, progress=progress), strict=True):
        found, name = shifts_of(moved), str(trial.what[1])
        if trial.what[0] == WHOLE:
            measured[name] += found
            continue
        for each in found:
            parts.setdefault((name, each.layer), []).append(each)
    for (name, _), both in parts.items():
        if len(both) == 2:
            measured[name].append(joined(both))
    return measured


def _of_whole_streams(experiment: Experiment, task: str, layers: Sequence[int]) -> Trial:
    """The map of a task."""
    tried = [
        *interchanges(layers, positions=[place for place in PLACES if place != "all"], directions="takes"),
        *interchanges(layers, positions="all", placebos=1),
    ]
    pairs, _ = experiment.tasks[task]
    return Trial((WHOLE, task, layers), pairs, tried, experiment.tokens)


def _of_one_direction(experiment: Experiment, task: str, layers: Sequence[int]) -> list[Trial]:
    """What each half fits at each layer, with its placebo, on the other half's pairs."""
    trials: list[Trial] = []
    for half in (0, 1):
        pairs = experiment.pairs(task, 1 - half)
        fitted = one_direction(experiment.source, experiment.labelled(task, half), layers)
        tried = [
            Interchange(layer, subspace=subspace, placebo=draw)
            for layer, subspace in fitted.items()
            for draw in (None, 0)
        ]
        if len(pairs) and tried:
            trials.append(Trial(("one direction", task, half, layers), pairs, tried, experiment.tokens))
    return trials


def _why_nowhere(table: pd.DataFrame, task: str) -> str:
    tried = table[(table["task"] == task) & (table["subspace"] == ONE_DIRECTION)]
    if tried.empty:
        return "no direction, since a half of the base queries has too few satisfied or violated responses"
    return "one direction carries it at no layer"


def figure(result: AnalysisResult) -> Figure:
    """The map of each task, the share that one direction carries by layer, and the subspaces compared."""
    return draw(result)


def evidence(result: AnalysisResult) -> Evidence:
    """Causal, on given texts."""
    del result
    return Evidence(
        "causal",
        assumes=(
            "log-odds of two given texts stand for what the model would write",
            "the two prompts differ in the constraint alone",
            "the layer at which one direction carries most is where the constraint is decided",
        ),
        broken_by=(
            "answers under the same interchange that do not change",
            "a mechanism of many dimensions at one layer and of few at another",
            "a direction that acts through what it displaces: see the placebo and the damage",
        ),
    )


ANALYSIS = Analysis(
    name="localisation",
    claim="structural constraints are carried at early layers, semantic ones at late layers",
    run=run,
    figure=figure,
    evidence=evidence,
    uses_model=True,
)
