"""Everything that causal ablation measures on the model itself: the matrix of behaviour, damage, rebuilding,
both ways.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.causal_ablation.answers import INTACT, Asked, answer, choose_prompts
from if_circuits.analyses.causal_ablation.behaviour import (
    PROMPTS_PER_TASK,
    Behaviour,
    floor_notes,
    kept_answers,
    measure_behaviour,
)
from if_circuits.analyses.causal_ablation.both_ways import agreement_note, measure_both_ways
from if_circuits.analyses.causal_ablation.damage import damage_table
from if_circuits.analyses.causal_ablation.edges import find_edges
from if_circuits.analyses.causal_ablation.neutral_text import Texts, choose_texts, read_texts
from if_circuits.analyses.causal_ablation.rebuilding import measure_rebuilding
from if_circuits.analyses.causal_ablation.response_directions import fit_response_directions
from if_circuits.analyses.shared.task_subspaces import chosen_erasure
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.io.kept import Kept
from if_circuits.models.workers import on_model
from if_circuits.progress import Report, part_of

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel
    from if_circuits.models.settings import RunSettings


@dataclass(frozen=True, eq=False)
class OnModel:
    """What was measured with the model."""

    behaviour: Behaviour
    tables: dict[str, pd.DataFrame]
    """`damage`, `starts`, `removed`, `answers`, `rebuilt` and `both_ways`."""
    notes: list[str]


def measure_on_model(
    model: LoadedModel,
    source: ActivationSource,
    *,
    settings: AnalysisSettings,
    run_settings: RunSettings,
    kept: Kept | None = None,
    engine: Engine = IN_PROCESS,
    progress: Report | None = None,
) -> OnModel:
    """Generate, and read responses again, under interventions, with subspaces of the settings' method.

    Answers that `kept` holds of an earlier attempt are not generated again; the `engine` carries out the
    rest.
    """
    named = None if settings.erasure is None else chosen_erasure(settings)
    fits = fit_response_directions(source, method=named, seed=settings.seed)
    kept = kept or Kept()
    behaviour = measure_behaviour(
        model,
        source,
        fits,
        settings=settings,
        run_settings=run_settings,
        kept=kept,
        engine=engine,
        progress=part_of(progress, 0, 3),
    )
    edges = find_edges(
        behaviour.drops, alpha=settings.alpha, n_bootstrap=settings.n_bootstrap, seed=settings.seed
    )
    read = _neutral_texts(model, source, behaviour, settings, run_settings, kept, engine)
    both = measure_both_ways(
        model,
        source,
        behaviour,
        edges,
        settings=settings,
        run_settings=run_settings,
        kept=kept,
        engine=engine,
        progress=part_of(progress, 1, 3),
    )
    tables = {
        "damage": damage_table(behaviour.halves, read, behaviour.drops.tasks, settings=settings),
        "starts": behaviour.starts,
        "removed": behaviour.removed,
        "answers": kept_answers(behaviour.halves),
        "rebuilt": kept.table(
            "rebuilt",
            partial(
                measure_rebuilding,
                model,
                source,
                fits,
                chosen_erasure(settings),
                settings=settings,
                engine=engine,
                progress=part_of(progress, 2, 3),
            ),
        ),
        "both_ways": both,
    }
    twins = pd.concat(
        choose_prompts(source, half=half, per_task=PROMPTS_PER_TASK, seed=settings.seed, constrained=False)
        for half in (0, 1)
    )
    unasked: Mapping[Any, float] = {}
    if len(twins):
        asked = Asked(twins.reset_index(drop=True), {INTACT: ()})
        (answers,) = answer(model, [asked], run_settings=run_settings, kept=kept, engine=engine)
        unasked = answers.groupby("task")["satisfied"].mean().to_dict()
    starts = ", ".join(str(half.start) for half in behaviour.halves)
    what = "differences in means" if named is None else f"subspaces of {named.name}"
    notes = [
        f"behaviour: {what} along the response, projected out from layers {starts} (by half) up",
        agreement_note(both, settings=settings),
        *floor_notes(behaviour.drops, {str(task): float(share) for task, share in unasked.items()}),
        *(f"{task}: not ablated in behaviour, {why}" for fit in fits for task, why in fit.reasons.items()),
    ]
    return OnModel(behaviour, tables, notes)


def _neutral_texts(
    model: LoadedModel,
    source: ActivationSource,
    behaviour: Behaviour,
    settings: AnalysisSettings,
    run_settings: RunSettings,
    kept: Kept,
    engine: Engine,
) -> list[pd.DataFrame]:
    """What each half's conditions do to text that they have no business with."""
    units = [
        Texts(
            choose_texts(source, half=1 - half.directions.half, seed=settings.seed),
            half.conditions,
            run_settings.batch_size,
        )
        for half in behaviour.halves
    ]
    return kept.tables(
        [("neutral texts", number) for number in range(len(units))],
        lambda places: on_model(engine, model, read_texts, [units[place] for place in places]),
    )
