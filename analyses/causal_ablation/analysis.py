"""Causal ablation: which tasks depend on which, in representation and, given the model, in behaviour.

In representation, task A's subspace is removed from held-out activations at the best layer, and task B's
probe fitted and measured again (`representation`). In behaviour, A's subspace along the response is projected
out of several layers while the model writes, and the new responses to B's prompts are verified (`behaviour`).
Only the second speaks of cause. Unless the settings name an erasure method, the subspace is INLP's in
representation and the difference in means in behaviour; a method that is named serves both.
Both give a directed matrix, rows ablated and columns measured, against random subspaces of the same rank;
`edges` says which cells are edges.

The claim: dependencies are sparse and asymmetric. Its rule:

- effect: the share of off-diagonal cells that are edges, among measurable tasks;
- supported: the share's interval lies below 0.5 and the asymmetry of connected pairs exceeds its null (p <=
  alpha); not supported: the interval lies above 0.5; otherwise inconclusive, as when fewer than four tasks
  are measurable, or when there is no edge whose symmetry could be looked at;
- the verdict is that of behaviour where at least four tasks are measurable in it, and else that of
  representation by the refitted probe. A note says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import Analysis, AnalysisResult, AnalysisSettings, Evidence, make_verdict
from if_circuits.analyses.causal_ablation.edges import MIN_TASKS_FOR_A_SHARE, Edges, find_edges
from if_circuits.analyses.causal_ablation.figure import draw
from if_circuits.analyses.causal_ablation.representation import measure_representation
from if_circuits.analyses.causal_ablation.tables import cells, inlp_curves, subspaces_of, summary_of
from if_circuits.analyses.shared.families import families_of
from if_circuits.analyses.shared.labelled_tasks import labelled_tasks, query_halves
from if_circuits.analyses.shared.task_subspaces import POSITION, chosen_erasure, fit_halves
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.erasure.difference_in_means import DifferenceInMeans
from if_circuits.io.kept import Kept
from if_circuits.models.settings import RunSettings
from if_circuits.progress import Report
from if_circuits.statistics.verdicts import decide

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from if_circuits.models.loading import LoadedModel

REFITTED, FIXED, MEAN_DIFFERENCE, BEHAVIOUR = "refitted probe", "fixed probe", "mean difference", "behaviour"
"""The matrices, as the table names them. The first two remove the subspaces of `settings.erasure`, INLP's
unless it names a method; so does the last, differences in means unless it does; the third always these.
"""


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
    """Every matrix with its edges, and the verdict by the rule of this module.

    `model` must be the one whose activations `source` holds; without it the behavioural half is left out.
    It is run as `run_settings` say, or its preset; answers that `kept` holds of an earlier attempt are not
    generated again; `progress` is told how much of the work on the model is done.
    The table has one row per matrix and cell; further tables: `summary` (share and asymmetry of each
    matrix), `subspaces` (layer and rank of each fit, or the reason why there is none), `inlp` (the held-out
    score of each iteration of INLP; `n_over_d` is of the rows that a fit trained on) and, with a model,
    `damage`, `starts` (the choice of layers), `removed` (method and rank at each layer),
    `rebuilt` and `both_ways`.
    """
    fits = fit_halves(source, chosen_erasure(settings), seed=settings.seed, engine=engine)
    tasks = labelled_tasks(source, POSITION)
    n = np.array([len(task.rows) for task in tasks])
    found = {}
    for probe, drops in measure_representation(source, fits, settings=settings, engine=engine).items():
        found[REFITTED if probe == "refitted" else FIXED] = drops
    layers = (fits[0].layer, fits[1].layer)
    rank_one = fit_halves(source, DifferenceInMeans(), seed=settings.seed, layers=layers, engine=engine)
    matrices = measure_representation(source, rank_one, settings=settings, engine=engine)
    found[MEAN_DIFFERENCE] = matrices["refitted"]
    counts = dict.fromkeys(found, n)
    mcnemar: dict[str, Float[np.ndarray, "a b"]] = {}
    halves = query_halves(source, seed=settings.seed)
    tables = {"subspaces": subspaces_of(tasks, fits, halves), "inlp": inlp_curves(fits)}
    notes: list[str] = []
    decided = halves[np.concatenate([task.queries for task in tasks])]
    if model is not None and len(np.unique(decided)) < 2:
        notes.append("behaviour not measured: a half of the base queries has no decided response")
    elif model is not None:
        from if_circuits.analyses.causal_ablation.on_model import measure_on_model

        measured = measure_on_model(
            model,
            source,
            settings=settings,
            run_settings=run_settings or RunSettings.of(model.preset),
            kept=kept,
            engine=engine,
            progress=progress,
        )
        behaviour = measured.behaviour
        found[BEHAVIOUR], counts[BEHAVIOUR] = behaviour.drops, behaviour.n
        mcnemar[BEHAVIOUR] = behaviour.p_mcnemar
        tables |= measured.tables
        notes += measured.notes

    edges = {
        name: find_edges(drops, alpha=settings.alpha, n_bootstrap=settings.n_bootstrap, seed=settings.seed)
        for name, drops in found.items()
    }
    table = pd.concat(
        [cells(name, drops, edges[name], counts[name], mcnemar.get(name)) for name, drops in found.items()],
        ignore_index=True,
    )
    family_of = families_of(source.responses)
    table.insert(2, "family", table["ablated"].map(family_of))
    # A half of the rows trains each probe; behaviour has none.
    trained = table["n"].where(table["matrix"] != BEHAVIOUR) / 2
    table["n_over_d"] = trained / fits[0].background.shape[1]
    chosen = (
        BEHAVIOUR
        if BEHAVIOUR in edges and edges[BEHAVIOUR].measurable.sum() >= MIN_TASKS_FOR_A_SHARE
        else REFITTED
    )
    tables["summary"] = pd.DataFrame([summary_of(name, found[name], edges[name]) for name in found])
    tables["summary"]["verdict"] = tables["summary"]["matrix"] == chosen
    verdict = edges[chosen]
    decision = decide(
        verdict.share, supported_when="below", threshold=0.5, p=verdict.asymmetry_p, alpha=settings.alpha
    )
    notes = [_which(chosen, edges), _describe(verdict), *notes, *_left_out(tables["subspaces"])]
    made = make_verdict(ANALYSIS.claim, decision, verdict.share, p=verdict.asymmetry_p, notes=tuple(notes))
    return AnalysisResult(ANALYSIS.name, table, made, tables)


def figure(result: AnalysisResult) -> Figure:
    """The matrix of representation, that of behaviour (or of the fixed probe), the surviving edges as graph
    and list.
    """
    present = set(result.table["matrix"])
    second = BEHAVIOUR if BEHAVIOUR in present else FIXED
    summary = result.tables["summary"]
    chosen = str(summary.loc[summary["verdict"], "matrix"].iloc[0])
    return draw(result, matrices=(REFITTED, second), edges_of=chosen)


def _which(chosen: str, edges: Mapping[str, Edges]) -> str:
    """Which matrix the verdict is taken from, and why."""
    n = int(edges[chosen].measurable.sum())
    if chosen == BEHAVIOUR:
        return f"verdict of behaviour: removing their own subspace lowers the compliance of {n} tasks"
    if BEHAVIOUR not in edges:
        return f"verdict of representation ({n} measurable tasks): no model was given to generate with"
    few = int(edges[BEHAVIOUR].measurable.sum())
    return (
        f"verdict of representation ({n} measurable tasks), not of cause: in behaviour, removing "
        f"its own subspace lowers the compliance of {few} tasks only, and {MIN_TASKS_FOR_A_SHARE} are needed"
    )


def _describe(edges: Edges) -> str:
    possible = int(edges.measurable.sum()) * (int(edges.measurable.sum()) - 1)
    among = edges.survives & edges.measurable[:, None] & edges.measurable
    text = f"{int(among.sum())} of {possible} possible edges survive"
    if np.isfinite(edges.asymmetry):
        text += f"; asymmetry {edges.asymmetry:.2f}, {edges.asymmetry_null:.2f} expected without any"
    return text


def _left_out(subspaces: pd.DataFrame) -> list[str]:
    """One note for each task that has no subspace in some half."""
    notes: list[str] = []
    for task, rows in subspaces.groupby("task", sort=False):
        reasons = dict.fromkeys(reason for reason in rows["reason"] if reason)
        if reasons:
            notes.append(f"{task}: no subspace, {'; '.join(reasons)}")
        elif (rows["rank"] == 0).any():
            notes.append(
                f"{task}: no probe beat chance on held-out base queries of a half, nothing was removed there"
            )
    return notes


def evidence(result: AnalysisResult) -> Evidence:
    """Causal where the verdict is that of behaviour; in representation, what a removal leaves is decoded."""
    summary = result.tables.get("summary")
    chosen = "" if summary is None else str(summary.loc[summary["verdict"], "matrix"].iloc[0])
    if chosen == BEHAVIOUR:
        return Evidence(
            "causal",
            assumes=(
                "what a removal costs beyond random ones of its rank and variance is what the task needs",
                "the hooks' layers and tokens are those that matter",
            ),
            broken_by=(
                "damage to fluency that falls on one task more than on others",
                "a mechanism that is rebuilt above the hooks, or lies in another form than a subspace",
            ),
        )
    return Evidence(
        "decodable",
        assumes=("a probe that fails after a removal fails because the model would",),
        broken_by=("answers under the same removal that comply as before",),
    )


ANALYSIS = Analysis(
    name="causal_ablation",
    claim="dependencies are sparse and asymmetric",
    run=run,
    figure=figure,
    evidence=evidence,
    uses_model=True,
)
