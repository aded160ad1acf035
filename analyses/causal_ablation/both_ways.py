"""Both ways: removing a task's direction should lower its compliance, adding it should raise it.

Removal is the own cell of the behavioural matrix. Addition starts from responses that fail: prompts with
violated responses in the study are answered again, sampled as in the study, and where the intact model
fails, the same sampling noise is used with the task's difference in means added, once, at the start layer
and every layer above. A failing response is an extreme one, so whatever changes it makes it better on
average: the control is the same step in random directions of the same lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy import stats

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.causal_ablation.answers import INTACT, Asked, answer
from if_circuits.analyses.causal_ablation.behaviour import Behaviour, HalfAnswers
from if_circuits.analyses.causal_ablation.edges import Edges
from if_circuits.analyses.shared.labelled_tasks import query_codes, query_halves
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.interventions.hooks import Intervention
from if_circuits.io.kept import Kept
from if_circuits.progress import Report
from if_circuits.statistics.bootstrap import bootstrap_draws, interval_of
from if_circuits.statistics.correction import benjamini_hochberg
from if_circuits.tasks.labels import is_violated

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel
    from if_circuits.models.settings import RunSettings

FAILING_PROMPTS = 8
"""Prompts of each task and half with a violated response in the study."""
SAMPLES = 2
MULTIPLE = 1.0
"""Of the difference in means, at every layer: one step from violated to satisfied."""
RANDOM_STEPS = 3
ADDED = "added"


def measure_both_ways(
    model: LoadedModel,
    source: ActivationSource,
    behaviour: Behaviour,
    edges: Edges,
    *,
    settings: AnalysisSettings,
    run_settings: RunSettings,
    kept: Kept | None = None,
    engine: Engine = IN_PROCESS,
    progress: Report | None = None,
) -> pd.DataFrame:
    """One row per task.

    Columns: task; removed (drop beyond control) with removed_low, removed_high, removed_p; added (gain of
    compliance over random steps among failing responses, all base queries alike) with added_low,
    added_high, added_p; gain and gain_random (without the other taken off); removed_p_adjusted and
    added_p_adjusted (Benjamini-Hochberg over tasks); agree (both survive, or neither); n (failing responses)
    and n_queries. NaN where nothing failed or nothing was fitted.
    """
    asked = [each for half in behaviour.halves if (each := _asked(source, half, settings)) is not None]
    answered = answer(
        model,
        asked,
        run_settings=run_settings,
        temperature=run_settings.temperature,
        samples_per_prompt=SAMPLES,
        seed=settings.seed,
        kept=kept,
        engine=engine,
        progress=progress,
    )
    gains = [found for each in answered if len(found := _gains(each))]
    answers = pd.concat(gains) if gains else pd.DataFrame(columns=list(_GAINS))
    rows: list[dict[str, object]] = []
    for a, task in enumerate(behaviour.drops.tasks):
        row: dict[str, object] = {
            "task": task,
            "removed": behaviour.drops.excess[a, a],
            "removed_low": edges.low[a, a],
            "removed_high": edges.high[a, a],
            "removed_p": edges.p[a, a],
        }
        rows.append(row | _gain(answers[answers["task"] == task], settings=settings))
    table = pd.DataFrame(rows)
    for way in ("removed", "added"):
        table[f"{way}_p_adjusted"] = benjamini_hochberg(table[f"{way}_p"].to_numpy(dtype=np.float64))
    removed, added = (
        table[f"{way}_p_adjusted"].to_numpy(dtype=np.float64) <= settings.alpha
        for way in ("removed", "added")
    )
    known = table[["removed", "added"]].notna().all(axis=1).to_numpy()
    table["agree"] = np.where(known, (removed == added).astype(float), np.nan)
    return table


def agreement_note(both: pd.DataFrame, *, settings: AnalysisSettings) -> str:
    """How far the two ways agree over tasks, with an interval over tasks."""
    agree = both["agree"].dropna().to_numpy(dtype=np.float64)
    if not len(agree):
        return "removal and addition: no task could be measured both ways"
    draws = bootstrap_draws(
        np.arange(len(agree)),
        lambda w: (w @ agree) / len(agree),
        n_resamples=settings.n_bootstrap,
        seed=settings.seed,
    )
    interval = interval_of(float(agree.mean()), draws, n_groups=len(agree), confidence=1 - settings.alpha)
    lowered, raised = (
        int((both[f"{way}_p_adjusted"] <= settings.alpha).sum()) for way in ("removed", "added")
    )
    return (
        f"removal lowers the compliance of {lowered} and addition raises that of {raised} of {len(agree)} "
        f"tasks measured both ways; the two agree in {agree.mean():.0%} "
        f"[{interval.low:.0%}, {interval.high:.0%}] of them"
    )


_GAINS = ("task", "base_query", "gain", "gain_random")
"""Columns of what a half measured."""


def _asked(source: ActivationSource, half: HalfAnswers, settings: AnalysisSettings) -> Asked | None:
    """The measured half's failing prompts, and what they are answered under; None where nothing fails."""
    fit = half.directions
    measured = query_halves(source, seed=settings.seed)[query_codes(source)] != fit.half
    responses = source.responses
    failed: Bool[np.ndarray, " n"] = (
        measured & responses["constrained"].to_numpy(dtype=bool) & is_violated(responses)
    )
    prompts = responses[failed].drop_duplicates("prompt_id").sample(frac=1.0, random_state=settings.seed)
    chosen = prompts[prompts["task"].isin(list(fit.differences))].groupby("task", sort=False)
    chosen = chosen.head(FAILING_PROMPTS).reset_index(drop=True)
    if chosen.empty:
        return None
    conditions: dict[str, Sequence[Intervention]] = {INTACT: ()}
    only: dict[str, set[str]] = {}
    for task, rows in chosen.groupby("task", sort=False):
        steps = fit.random_additions(
            str(task), start=half.start, multiple=MULTIPLE, n=RANDOM_STEPS, seed=settings.seed
        )
        own = {f"{ADDED}/{task}": fit.addition(str(task), start=half.start, multiple=MULTIPLE)}
        own |= {f"random/{task}/{i}": step for i, step in enumerate(steps)}
        conditions |= own
        only |= dict.fromkeys(own, set(rows["prompt_id"]))
    return Asked(chosen[["prompt_id", "task", "base_query", "parameters", "prompt"]], conditions, only)


def _gains(answers: pd.DataFrame) -> pd.DataFrame:
    """One row a failing response: task, base_query, gain, gain_random."""
    kinds = answers.assign(kind=answers["condition"].str.split("/").str[0])
    means = kinds.groupby(["task", "prompt_id", "sample", "base_query", "kind"])["satisfied"].mean()
    wide = means.unstack("kind")
    wide = wide[wide[INTACT] == 0]
    gains = pd.DataFrame({"gain": wide[ADDED], "gain_random": wide["random"]})
    return gains.reset_index()[list(_GAINS)]


def _gain(answers: pd.DataFrame, *, settings: AnalysisSettings) -> dict[str, object]:
    """Gain beyond random steps, its interval and one-sided t test over base queries."""
    by_query = answers[["base_query", "gain", "gain_random"]].groupby("base_query").mean()
    beyond = (by_query["gain"] - by_query["gain_random"]).to_numpy(dtype=np.float64)
    row: dict[str, object] = {"n": len(answers), "n_queries": len(by_query)}
    if len(beyond) < 2:
        nothing = ("added", "added_low", "added_high", "added_p", "gain", "gain_random")
        return dict.fromkeys(nothing, np.nan) | row
    draws = bootstrap_draws(
        np.arange(len(beyond)),
        lambda w: (w @ beyond) / len(beyond),
        n_resamples=settings.n_bootstrap,
        seed=settings.seed,
    )
    interval = interval_of(float(beyond.mean()), draws, n_groups=len(beyond), confidence=1 - settings.alpha)
    return {
        "added": interval.estimate,
        "added_low": interval.low,
        "added_high": interval.high,
        "added_p": _upper_tail(beyond),
        "gain": float(by_query["gain"].mean()),
        "gain_random": float(by_query["gain_random"].mean()),
        **row,
    }


def _upper_tail(values: Float[np.ndarray, " n"]) -> float:
    """p of a mean above 0, by t; where nothing varies, 1 unless all values are positive."""
    error = values.std(ddof=1) / np.sqrt(len(values))
    if error == 0:
        return 1.0 if values[0] <= 0 else 0.0
    return float(stats.t.sf(values.mean() / error, len(values) - 1))
