"""The layer from which on a subspace is projected out, chosen by its effect.

Each half's own prompts, which are not reported, are answered with their task's subspace removed from several
layers up, and with random ones: the start is where removing their own costs tasks most compliance beyond
that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.causal_ablation.answers import INTACT, Asked, answer, choose_prompts
from if_circuits.analyses.causal_ablation.response_directions import ResponseDirections
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.errors import InputError
from if_circuits.interventions.hooks import Intervention
from if_circuits.io.kept import Kept
from if_circuits.progress import Report

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel
    from if_circuits.models.settings import RunSettings

STARTS = 8
"""Start layers that are tried, evenly spaced from the first. Few miss the layer that matters: with four of
if-tiny's six, a mechanism planted at the third was never removed where it was read."""
PROMPTS_FOR_START = 4
"""Prompts of each task and half that a start is chosen on."""
CONTROLS_FOR_START = 2


def try_starts(
    model: LoadedModel,
    source: ActivationSource,
    fits: Sequence[ResponseDirections],
    *,
    settings: AnalysisSettings,
    run_settings: RunSettings,
    kept: Kept | None = None,
    engine: Engine = IN_PROCESS,
    progress: Report | None = None,
) -> list[pd.DataFrame]:
    """How much compliance each start costs each fitting half's own prompts, and random directions there.

    One table a half. Columns: half, layer, own_drop, control_drop, n (prompts). Raises InputError when
    `model` is not as wide as the activations that fitted.
    """
    if (width := fits[0].centres.shape[1]) != model.d_model:
        raise InputError(
            f"the activations have d_model = {width}, {model.name} has {model.d_model}: "
            "give the model that they were captured from"
        )
    asked = [_asked(source, fit, settings) for fit in fits]
    known = [each for each in asked if len(each.prompts)]
    answers = iter(
        answer(model, known, run_settings=run_settings, kept=kept, engine=engine, progress=progress)
    )
    return [
        _costs(fit, next(answers) if len(each.prompts) else None)
        for fit, each in zip(fits, asked, strict=True)
    ]


def _starts(fit: ResponseDirections) -> list[int]:
    return sorted({fit.layers[i * len(fit.layers) // STARTS] for i in range(STARTS)})


def _asked(source: ActivationSource, fit: ResponseDirections, settings: AnalysisSettings) -> Asked:
    prompts = choose_prompts(source, half=fit.half, per_task=PROMPTS_FOR_START, seed=settings.seed)
    prompts = prompts[prompts["task"].isin(list(fit.subspaces))].reset_index(drop=True)
    conditions: dict[str, Sequence[Intervention]] = {INTACT: ()}
    only: dict[str, set[str]] = {}
    for start in _starts(fit) if len(prompts) else ():
        for task in fit.subspaces:
            conditions[f"own/{start}/{task}"] = fit.removal(task, start=start)
            only[f"own/{start}/{task}"] = set(prompts.loc[prompts["task"] == task, "prompt_id"])
        for number, pool in enumerate(fit.pools(start=start)):
            # Draws of their own, which the controls of the matrix do not repeat.
            draws = fit.controls(
                "variance_matched", pool, start=start, n=CONTROLS_FOR_START, seed=settings.seed + 500
            )
            named = {f"random/{start}/{number}/{i}": draw for i, draw in enumerate(draws)}
            conditions |= named
            only |= dict.fromkeys(named, set(prompts.loc[prompts["task"].isin(pool), "prompt_id"]))
    return Asked(prompts, conditions, only)


def _costs(fit: ResponseDirections, answers: pd.DataFrame | None) -> pd.DataFrame:
    if answers is None:
        return pd.DataFrame([_start_row(fit.half, start, np.nan, np.nan, 0) for start in _starts(fit)])
    kinds = answers["condition"].str.split("/").str[:2].str.join("/")
    compliance = answers.groupby(kinds)["satisfied"].mean()
    n = int((answers["condition"] == INTACT).sum())
    return pd.DataFrame(
        [
            _start_row(
                fit.half,
                start,
                compliance[INTACT] - compliance[f"own/{start}"],
                compliance[INTACT] - compliance[f"random/{start}"],
                n,
            )
            for start in _starts(fit)
        ]
    )


def _start_row(half: int, start: int, own: float, control: float, n: int) -> dict[str, object]:
    return {"half": half, "layer": start, "own_drop": own, "control_drop": control, "n": n}


def best_start(starts: pd.DataFrame) -> int:
    """The start with the largest drop beyond random directions; ties go to the later one, which changes
    less.
    """
    beyond = (starts["own_drop"] - starts["control_drop"]).fillna(0.0).to_numpy()
    return int(starts["layer"].iloc[np.flatnonzero(beyond >= beyond.max() - 1e-12)[-1]])
