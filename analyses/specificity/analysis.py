"""Specificity: do a task's probe directions vary more in constrained responses than in their unconstrained
twins?

A task's row space is the span of the probes that iterative nullspace projection (INLP) fits to "satisfied"
on one half of the base queries. On the other half, the share of variance that falls into it is measured
among constrained responses and among their unconstrained twins, each about its own mean; then the halves
change places. The effect is

    (constrained share / twins' share) / (the same ratio for random subspaces of the same rank),

as a geometric mean over halves and tasks. Random subspaces are Gaussian, or matched to the variance that
the row space takes up; the kind with the larger ratio is the one that counts. Intervals resample base
queries and take the fitted row spaces as given. A value above 1 says that the probe's directions move more
where there is an instruction to follow. It says nothing of cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import (
    Analysis,
    AnalysisResult,
    AnalysisSettings,
    Evidence,
    make_verdict,
    no_verdict,
)
from if_circuits.analyses.shared.families import families_of
from if_circuits.analyses.shared.labelled_tasks import query_codes, query_halves
from if_circuits.analyses.shared.task_subspaces import (
    CONTROLS,
    POSITION,
    HalfFit,
    control_bases,
    decodes,
    fit_halves,
)
from if_circuits.analyses.specificity.figure import draw
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.erasure.inlp import Inlp
from if_circuits.progress import Report, Steps
from if_circuits.statistics.bootstrap import Interval, bootstrap_draws, interval_of
from if_circuits.statistics.permutation import permutation_p
from if_circuits.statistics.verdicts import decide

if TYPE_CHECKING:
    from matplotlib.figure import Figure


MIN_TASKS_FOR_A_MEAN = 3
"""Fewer tasks with a row space say nothing of row spaces in general."""
MIN_ROWS = 20
"""Fewer constrained responses or twins in a half give no usable share of variance."""

_COLUMNS = [
    "task",
    "family",
    "layers",
    "rank",
    "share",
    "share_twins",
    "ratio",
    *(f"ratio_{kind}" for kind in CONTROLS),
]
_COLUMNS += ["effect", "low", "high", "n", "n_twins", "n_over_d", "reason"]


def run(
    source: ActivationSource,
    settings: AnalysisSettings,
    *,
    engine: Engine = IN_PROCESS,
    progress: Report | None = None,
) -> AnalysisResult:
    """Measure every task's effect; supported when the interval of their geometric mean lies above 1.

    The table has one row per task: shares, ratios, effect and interval, or the reason why it has none.
    Shares and ratios are geometric means over the two halves.
    """
    families = families_of(source.responses)
    steps = Steps(progress, 1 + len(families))
    fits = fit_halves(source, Inlp(), seed=settings.seed, engine=engine)
    steps.done()
    halves = query_halves(source, seed=settings.seed)
    rows: list[dict[str, object]] = []
    draws: list[Float[np.ndarray, " resamples"]] = []
    for name, family in families.items():
        steps.done()
        parts = [_measure(source, fit, name, halves == fit.half, settings=settings) for fit in fits]
        measured = [part for part in parts if isinstance(part, _Part)]
        row: dict[str, object] = {"task": name, "family": family}
        if len(measured) < len(parts):
            reasons = [part for part in parts if isinstance(part, str)]
            rows.append({**row, "reason": "; ".join(dict.fromkeys(reasons))})
            continue
        drawn = bootstrap_draws(
            np.arange(len(halves)),
            lambda weights, parts=measured: _log_effect(parts, weights),
            n_resamples=settings.n_bootstrap,
            seed=settings.seed,
        )
        draws.append(drawn)
        rows.append({**row, **_summary(measured, drawn, settings=settings), "reason": ""})
    table = pd.DataFrame(rows).reindex(columns=_COLUMNS)
    # A half of the rows finds each row space.
    table["n_over_d"] = table["n"] / 2 / fits[0].background.shape[1]

    effects = table["effect"].dropna().to_numpy(dtype=np.float64)
    notes = [
        f"geometric mean over {len(effects)} of {len(rows)} tasks, at least {MIN_TASKS_FOR_A_MEAN} needed"
    ]
    notes += [f"{row['task']} left out: {row['reason']}" for row in rows if row["reason"]]
    if len(effects) < MIN_TASKS_FOR_A_MEAN:
        rule = f"a verdict needs {MIN_TASKS_FOR_A_MEAN} tasks with a row space"
        return AnalysisResult(ANALYSIS.name, table, no_verdict(ANALYSIS.claim, rule, tuple(notes)))
    estimate, pooled = float(np.log(effects).mean()), np.mean(draws, axis=0)
    interval = _exponential(estimate, pooled, n_groups=len(halves), alpha=settings.alpha)
    decision = decide(interval, supported_when="above", threshold=1.0, alpha=settings.alpha)
    p = permutation_p(estimate, pooled - estimate)
    return AnalysisResult(
        ANALYSIS.name, table, make_verdict(ANALYSIS.claim, decision, interval, p=p, notes=tuple(notes))
    )


def figure(result: AnalysisResult) -> Figure:
    """Shares of variance of both kinds of response per task, and the ratio beyond its control."""
    return draw(result)


@dataclass(frozen=True, eq=False)
class _Part:
    """Sums of squares per base query: one task's row space, fitted on one half, tested on the other."""

    layer: int
    rank: int
    inside: Float[np.ndarray, "2 q"]
    """Inside the row space: of constrained responses, of their twins."""
    total: Float[np.ndarray, "2 q"]
    controls: Float[np.ndarray, "2 kinds draws q"]
    """Inside each control subspace."""
    n: tuple[int, int]


def _measure(
    source: ActivationSource,
    fit: HalfFit,
    name: str,
    fitted: Bool[np.ndarray, " q"],
    *,
    settings: AnalysisSettings,
) -> _Part | str:
    """One half's sums, or the reason why there are none."""
    if name not in fit.subspaces:
        return fit.reasons[name]
    subspace = fit.subspaces[name]
    if not decodes(subspace):
        return "no probe beats chance on held-out base queries, so there is no row space"
    features, queries = source.features(fit.layer, POSITION), query_codes(source)
    usable = (source.responses["task"] == name).to_numpy() & np.isfinite(features).all(axis=1)
    constrained = source.responses["constrained"].to_numpy(dtype=bool)
    controls = control_bases(fit, subspace, n=settings.n_random_subspaces, seed=settings.seed)
    directions = np.concatenate([subspace.basis[None], controls.reshape(-1, *subspace.basis.shape)])

    inside, total, outside, counts = [], [], [], []
    for rows in (usable & constrained & ~fitted[queries], usable & ~constrained & ~fitted[queries]):
        counts.append(int(rows.sum()))
        if counts[-1] < MIN_ROWS:
            return (
                f"{counts[-1]} responses to test on; {MIN_ROWS} constrained ones and as many twins are needed"
            )
        X = features[rows].astype(np.float64)
        X -= X.mean(axis=0)
        membership = np.eye(len(fitted))[:, queries[rows]]
        squares = (
            np.square(X @ directions.reshape(-1, X.shape[1]).T)
            .reshape(len(X), *directions.shape[:2])
            .sum(axis=2)
        )
        per_query = membership @ squares
        if per_query.sum(axis=0).min() <= 1e-12 * np.square(X).sum():
            return "responses of one kind do not vary in the row space or in a random one: no ratio of shares"
        inside.append(per_query[:, 0])
        outside.append(per_query[:, 1:].T.reshape(*controls.shape[:2], -1))
        total.append(membership @ np.square(X).sum(axis=1))
    return _Part(
        fit.layer, subspace.rank, np.stack(inside), np.stack(total), np.stack(outside), (counts[0], counts[1])
    )


def _log_ratios(
    part: _Part, weights: Float[np.ndarray, "resamples q"]
) -> tuple[Float[np.ndarray, " resamples"], Float[np.ndarray, "kinds resamples"]]:
    """Log of (constrained share / twins' share): in the row space, and in the mean over each kind's draws."""
    totals = np.log(part.total[0] @ weights.T) - np.log(part.total[1] @ weights.T)
    own = np.log(part.inside[0] @ weights.T) - np.log(part.inside[1] @ weights.T)
    drawn = np.log(part.controls[0] @ weights.T) - np.log(part.controls[1] @ weights.T)
    return own - totals, drawn.mean(axis=1) - totals


def _log_effect(
    parts: Sequence[_Part], weights: Float[np.ndarray, "resamples q"]
) -> Float[np.ndarray, " resamples"]:
    """Log ratio beyond that of the stronger control, in the mean over the halves."""
    effects: list[Float[np.ndarray, " resamples"]] = []
    for part in parts:
        # Which kind is stronger is settled once, on the data as they are, for all resamples.
        stronger = int(np.argmax(_log_ratios(part, np.ones((1, weights.shape[1])))[1][:, 0]))
        own, drawn = _log_ratios(part, weights)
        effects.append(own - drawn[stronger])
    return np.mean(effects, axis=0)


def _summary(
    parts: Sequence[_Part], draws: Float[np.ndarray, " resamples"], *, settings: AnalysisSettings
) -> dict[str, object]:
    """What the table shows of one task."""
    everything = np.ones((1, parts[0].total.shape[1]))
    shares = np.exp(
        np.mean([np.log(part.inside.sum(axis=1) / part.total.sum(axis=1)) for part in parts], axis=0)
    )
    controls = np.exp(np.mean([_log_ratios(part, everything)[1][:, 0] for part in parts], axis=0))
    estimate = float(_log_effect(parts, everything)[0])
    interval = _exponential(estimate, draws, n_groups=everything.shape[1], alpha=settings.alpha)
    return {
        "layers": ", ".join(str(part.layer) for part in parts),
        "rank": float(np.mean([part.rank for part in parts])),
        "share": shares[0],
        "share_twins": shares[1],
        "ratio": shares[0] / shares[1],
        **{f"ratio_{kind}": value for kind, value in zip(CONTROLS, controls, strict=True)},
        "effect": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "n": sum(part.n[0] for part in parts),
        "n_twins": sum(part.n[1] for part in parts),
    }


def _exponential(
    estimate: float, draws: Float[np.ndarray, " resamples"], *, n_groups: int, alpha: float
) -> Interval:
    """Interval of exp(estimate) from draws of the logarithm."""
    return interval_of(float(np.exp(estimate)), np.exp(draws), n_groups=n_groups, confidence=1 - alpha)


_EVIDENCE = Evidence(
    "decodable",
    assumes=(
        "INLP's row space holds what the task's probes use",
        "counterparts differ in the constraint alone",
    ),
    broken_by=("responses of other length or topic without the constraint",),
)


ANALYSIS = Analysis(
    name="specificity",
    claim="row spaces are specific to constraints",
    run=run,
    figure=figure,
    evidence=lambda _: _EVIDENCE,
)
