"""Representational similarity: do tasks represent "satisfied" alike?

Three kinds of similarity between tasks, at `last`, at one layer that a fifth of the base queries chooses
and the rest reports on:

- *directions*: the angle between what "satisfied" moves in two tasks, the mean of satisfied minus that of
  violated responses (`task_directions` says why not the directions of discriminants).
  Directions a, b of tasks A, B are estimated on two halves of the base queries; (a0 b1)(a1 b0) / ((a0
  a1)(b0 b1)) estimates their squared cosine over its split-half ceiling. Halves share no noise, so 0 is its
  expectation for unrelated tasks: nothing is left to debias.
- *subspaces*: overlap (mean squared cosine of principal angles) of INLP subspaces, beyond random ones of
  the same ranks.
- *PWCCA* and *linear CKA* of activations averaged within base queries, rows paired by base query, beyond a
  permutation null and over the split-half ceiling.

The verdict rests on the directions. PWCCA and CKA ask whether the base queries are arranged alike under two
tasks, each in its own coordinates: they count content, which tasks over the same base queries share by
design, and they cannot tell one direction for all tasks from one direction for each. They stand beside it
as a description.

Effect: mean over pairs of tasks of the squared cosine over its ceiling. The claim of few shared
representations is supported when the interval over base queries lies below 0.5, not supported when above,
else inconclusive. A task whose two halves do not agree (interval of a0 a1 not above 0) has no direction to
compare; with fewer than `MIN_TASKS_FOR_PAIRS` others there is no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int, Shaped

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import (
    Analysis,
    AnalysisResult,
    AnalysisSettings,
    Evidence,
    make_verdict,
    no_verdict,
)
from if_circuits.analyses.representational_similarity.figure import draw
from if_circuits.analyses.representational_similarity.paired import paired_activations, similarity_of
from if_circuits.analyses.representational_similarity.task_directions import (
    DirectionProducts,
    direction_products,
)
from if_circuits.analyses.shared.labelled_tasks import LabelledTask, labelled_tasks
from if_circuits.analyses.shared.task_subspaces import POSITION, best_layer, decodes, fit_task_subspaces
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.erasure.inlp import Inlp
from if_circuits.interventions.subspace import Subspace
from if_circuits.models.layers import layer_label
from if_circuits.probes.folds import grouped_folds
from if_circuits.progress import Report, Steps
from if_circuits.similarity.angles import principal_angles, subspace_overlap
from if_circuits.similarity.measures import MEASURES
from if_circuits.similarity.reduction import default_components
from if_circuits.statistics.bootstrap import interval_of
from if_circuits.statistics.permutation import permutation_p
from if_circuits.statistics.ratio import ratio_interval
from if_circuits.statistics.verdicts import decide

if TYPE_CHECKING:
    from matplotlib.figure import Figure


FEW_SHARED = 0.5
"""Shared representations are few below this mean similarity."""
MIN_TASKS_FOR_PAIRS = 5
"""Fewer tasks with a reliable direction (ten pairs) say little of nine, and make no verdict."""
FOLDS = 5
"""Of the base queries: one chooses the layer, the others report."""


def run(
    source: ActivationSource,
    settings: AnalysisSettings,
    *,
    engine: Engine = IN_PROCESS,
    progress: Report | None = None,
) -> AnalysisResult:
    """Compare every pair of tasks.

    The table has one row per pair: `similarity` (of directions, the verdict's measure) with its interval,
    and for subspaces, PWCCA and CKA the debiased value, ceiling and ratio; NaN where a task cannot be
    compared. The table `tasks` says how far each task's halves agree, and why a task was left out.
    """
    names = np.unique(source.responses["base_query"].to_numpy().astype(str))
    tasks = labelled_tasks(source, POSITION)
    if len(tasks) < 2 or len(names) < FOLDS:
        table = pd.DataFrame({"task": [task.name for task in tasks], "reason": "nothing to compare it with"})
        why = f"{len(tasks)} tasks in the study, and a comparison needs two"
        if len(tasks) > 1:
            table["reason"] = why = f"{len(names)} base queries, and a comparison needs {FOLDS}"
        verdict = no_verdict(ANALYSIS.claim, f"needs two tasks and {FOLDS} base queries", (why,))
        return AnalysisResult(ANALYSIS.name, table.iloc[:0], verdict, {"tasks": table})
    folds, reporting = cut_queries(names, seed=settings.seed)
    steps = Steps(progress, 4 + len(MEASURES))
    choosing = [task.where(folds[task.queries] == 0) for task in tasks]
    layer = best_layer(source, choosing, engine=engine)
    features = source.features(layer, POSITION)
    steps.done()
    halves = [[task.where(chosen[task.queries]) for task in tasks] for chosen in reporting]
    reasons = {a.name: a.shortage() or b.shortage() for a, b in zip(*halves, strict=True)}
    usable = [[task for task in half if not reasons[task.name]] for half in halves]
    products = None
    if len(usable[0]) > 1:
        products = direction_products(
            features, usable, n_queries=len(names), n_bootstrap=settings.n_bootstrap, seed=settings.seed
        )
    steps.done()
    agreement = _agreement(tasks, products, reasons, alpha=settings.alpha)
    trained = np.sum([[len(task.rows) for task in half] for half in halves], axis=0) / 2
    agreement.insert(5, "n_over_d", trained / features.shape[1])
    table = _pairs(tasks, products, set(agreement.loc[agreement["reason"] == "", "task"]), settings=settings)
    fitted: list[Mapping[str, Subspace]] = []
    for half in usable:
        found = fit_task_subspaces(source, half, Inlp(), layers=[layer], seed=settings.seed, engine=engine)
        fitted.append(found.at(layer))
        steps.done()
    subspaces = [{task: space for task, space in half.items() if decodes(space)} for half in fitted]
    table = table.merge(_overlaps(tasks, subspaces), on=["task_a", "task_b"])
    paired = paired_activations(source, features, folds > 0, seed=settings.seed)
    for measure in MEASURES:
        table = table.merge(
            similarity_of(paired, measure, settings=settings), on=["task_a", "task_b"], how="left"
        )
        steps.done()
    table = table.assign(
        layer=layer,
        components=np.nan if paired is None else default_components(len(paired.groups)),
        paired_queries=0 if paired is None else len(paired.groups),
    )

    kept = (agreement["reason"] == "").to_numpy()
    notes = [f"layer {layer_label(layer)}, {int(kept.sum())} of {len(tasks)} tasks compared"]
    notes += [
        f"{label}, sum over pairs over that of the ceilings: {_pooled_ratio(table, measure):.2f}"
        for label, measure in (
            ("INLP subspace overlap", "overlap"),
            ("PWCCA of paired activations (content included)", "pwcca"),
            ("linear CKA of paired activations (content included)", "cka"),
        )
        if table[f"{measure}_ratio"].notna().any()
    ]
    notes += [
        f"{row['task']} left out: {row['reason']}" for row in agreement.to_dict("records") if row["reason"]
    ]
    tables = {"tasks": agreement}
    if products is None or kept.sum() < MIN_TASKS_FOR_PAIRS:
        rule = f"a verdict needs {MIN_TASKS_FOR_PAIRS} tasks whose directions agree across halves"
        return AnalysisResult(ANALYSIS.name, table, no_verdict(ANALYSIS.claim, rule, tuple(notes)), tables)
    chosen = np.isin(products.tasks, agreement.loc[kept, "task"])
    shared, ceiling = products.over_ceiling(chosen)
    interval = ratio_interval(shared, ceiling, n_groups=products.n_queries, confidence=1 - settings.alpha)
    decision = decide(interval, supported_when="below", threshold=FEW_SHARED, alpha=settings.alpha)
    # Of a mean of FEW_SHARED or more, from the resamples themselves.
    beyond = shared.draws - FEW_SHARED * ceiling.draws
    p = np.nan if interval.reason else permutation_p(0.0, beyond[~np.isnan(beyond)], alternative="greater")
    return AnalysisResult(
        ANALYSIS.name,
        table,
        make_verdict(ANALYSIS.claim, decision, interval, p=p, notes=tuple(notes)),
        tables,
    )


def cut_queries(
    names: Sequence[str] | Shaped[np.ndarray, " q"], *, seed: int
) -> tuple[Int[np.ndarray, " q"], tuple[Bool[np.ndarray, " q"], Bool[np.ndarray, " q"]]]:
    """Folds of the base queries, of which the first chooses the layer, and the halves of the others.

    Raises InputError where there are fewer base queries than folds.
    """
    folds = grouped_folds(names, n_folds=FOLDS, seed=seed)
    return folds, ((folds > 0) & (folds % 2 == 0), (folds > 0) & (folds % 2 == 1))


def figure(result: AnalysisResult) -> Figure:
    """Matrices of directions, PWCCA and CKA over their ceilings; the means within and between families."""
    return draw(result)


def _pooled_ratio(table: pd.DataFrame, measure: str) -> float:
    """Sum over pairs over the sum of their ceilings: unlike a mean of ratios, steady with small ceilings."""
    kept = table[table[f"{measure}_ratio"].notna()]
    return float(kept[measure].sum() / kept[f"{measure}_ceiling"].sum())


def _agreement(
    tasks: Sequence[LabelledTask],
    products: DirectionProducts | None,
    reasons: Mapping[str, str],
    *,
    alpha: float,
) -> pd.DataFrame:
    """Does each task's direction return on the other half? The product of the two, with its interval."""
    rows: list[dict[str, object]] = []
    for task in tasks:
        row: dict[str, object] = {"task": task.name, "n": len(task.rows), "reason": reasons[task.name]}
        if products is not None and task.name in products.tasks:
            i = products.tasks.index(task.name)
            own = products.draws[:, i, i]
            bounds = interval_of(
                products.estimate[i, i], own, n_groups=products.n_queries, confidence=1 - alpha
            )
            row |= {"agreement": bounds.estimate, "low": bounds.low, "high": bounds.high}
            if not bounds.low > 0:
                row["reason"] = "its directions on the two halves do not agree beyond chance"
        rows.append(row)
    return pd.DataFrame(rows).reindex(columns=["task", "agreement", "low", "high", "n", "reason"])


def _pairs(
    tasks: Sequence[LabelledTask],
    products: DirectionProducts | None,
    kept: set[str],
    *,
    settings: AnalysisSettings,
) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    for one, other in combinations(tasks, 2):
        first, second = one.name, other.name
        row: dict[str, object] = {
            "task_a": first,
            "task_b": second,
            "same_family": one.family == other.family,
        }
        row |= dict.fromkeys(("similarity", "low", "high"), np.nan)
        if products is not None and {first, second} <= kept:
            pair = np.isin(products.tasks, [first, second])
            found = ratio_interval(
                *products.over_ceiling(pair), n_groups=products.n_queries, confidence=1 - settings.alpha
            )
            row |= {"similarity": found.estimate, "low": found.low, "high": found.high}
        rows.append(row)
    return pd.DataFrame(rows)


def _overlaps(tasks: Sequence[LabelledTask], halves: Sequence[Mapping[str, Subspace]]) -> pd.DataFrame:
    """Overlap of INLP subspaces of different halves, beyond chance, over that of each task with itself."""

    def overlap(first: str, second: str) -> float:
        pairs = ((halves[0].get(first), halves[1].get(second)), (halves[0].get(second), halves[1].get(first)))
        found = [
            subspace_overlap(a.basis, b.basis).debiased for a, b in pairs if a is not None and b is not None
        ]
        return float(np.mean(found)) if len(found) == 2 else np.nan

    def smallest_angle(first: str, second: str) -> float:
        a, b = halves[0].get(first), halves[1].get(second)
        return np.nan if a is None or b is None else float(np.degrees(principal_angles(a.basis, b.basis)[0]))

    rows: list[dict[str, object]] = []
    for first, second in combinations([task.name for task in tasks], 2):
        # A task that does not overlap with itself has no ceiling.
        own = [value if value > 0 else np.nan for value in (overlap(first, first), overlap(second, second))]
        ceiling = float(np.sqrt(own[0] * own[1]))
        found = overlap(first, second)
        row: dict[str, object] = {"task_a": first, "task_b": second}
        row |= {"smallest_angle": smallest_angle(first, second)}
        row |= {"overlap": found, "overlap_ceiling": ceiling, "overlap_ratio": found / ceiling}
        rows.append(row)
    return pd.DataFrame(rows)


_EVIDENCE = Evidence(
    "decodable",
    assumes=(
        "the difference in means stands for how a task is represented",
        "halves of the base queries set the ceiling",
    ),
    broken_by=(
        "a representation shared in another form, such as rotated or nonlinear",
        "a shared bias of both tasks' labels",
    ),
)


ANALYSIS = Analysis(
    name="representational_similarity",
    claim="few shared representations",
    run=run,
    figure=figure,
    evidence=lambda _: _EVIDENCE,
)
