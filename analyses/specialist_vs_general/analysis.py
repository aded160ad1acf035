"""Analysis 1: does a probe for one task (specialist) read it better than one probe for all tasks (general)?

Compared on the same folds over base queries:

- specialist: trained on the task's own responses;
- general: trained on as many responses, spread evenly over all tasks, drawn anew for each task and fold;
- general_all: trained on the responses of all tasks;
- leave_one_out: the same without the task that it is tested on.

All layers at `prompt_end` and `last`, all positions at the layer that most folds chose. The claim is
tested at `last`, at the layer that each fold's other folds choose for the specialists (`layer_choice`).
Beside the specialists stand, at the layer that most folds chose, those of other methods and at `last` control
tasks (`controls`); and baselines that see no activation (`text_baselines`).

Rule. Effect: mean over tasks of the AUROC of specialist minus general. Supported when its interval over
base queries lies above 0 and p <= alpha, where p (two-sided) flips the signs of the tasks' differences;
not supported when the interval lies below 0; else inconclusive, and inconclusive too when the
specialists' own interval reaches 0.5, for then there is nothing to compare. How universal:
(leave_one_out - 0.5) / (specialist - 0.5), 1 for one mechanism, 0 for separate ones; none where the
specialists' interval reaches 0.5.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import (
    Analysis,
    AnalysisResult,
    AnalysisSettings,
    Evidence,
    Verdict,
    make_verdict,
    no_verdict,
)
from if_circuits.analyses.shared.both_labels import on_both_labels
from if_circuits.analyses.shared.layer_choice import LayerChoice, choose_layers
from if_circuits.analyses.shared.probing import (
    STUDY_CS,
    ProbingRows,
    left_out_rows,
    probing_rows,
    report_folds,
)
from if_circuits.analyses.shared.score_table import (
    Score,
    ScoreTable,
    score,
    score_fitted,
    score_table,
    task_p,
)
from if_circuits.analyses.shared.text_baselines import baseline_scores
from if_circuits.analyses.specialist_vs_general.controls import (
    control_scores,
    method_scores,
    selectivity_table,
)
from if_circuits.analyses.specialist_vs_general.figure import draw
from if_circuits.probes.across_folds import AcrossFolds, fit_across_folds
from if_circuits.probes.evaluate import subsample
from if_circuits.progress import Report, Steps, part_of
from if_circuits.statistics.correction import holm
from if_circuits.statistics.verdicts import decide

if TYPE_CHECKING:
    from matplotlib.figure import Figure


PROBES = ("specialist", "general", "general_all", "leave_one_out")
ANCHORS = ("prompt_end", "last")
"""Positions at which every layer is probed."""
_LARGE_C = 0.01
"""Penalty of probes trained on all tasks: with so many rows it hardly matters, and choosing it is costly."""


def run(
    source: ActivationSource, settings: AnalysisSettings, *, progress: Report | None = None
) -> AnalysisResult:
    """Probe every task with every kind of probe."""
    return on_both_labels(_analyse, source, settings, progress=progress)


def _analyse(source: ActivationSource, settings: AnalysisSettings, progress: Report | None) -> AnalysisResult:
    rows = {position: probing_rows(source, settings, position) for position in source.positions}
    last, left_out = rows["last"], left_out_rows(rows.values())
    if len(last.tasks) < 2:
        why = f"{len(last.tasks)} tasks can be probed at `last`, and a general probe needs two"
        return AnalysisResult(
            ANALYSIS.name, left_out, no_verdict(ANALYSIS.claim, "needs two tasks", (why, *last.notes()))
        )

    choice = choose_layers(source, last, source.layers, progress=part_of(progress, 0, 2))
    scores: list[Score] = []
    at_last: list[_Fitted] = []
    probed = {
        at: source.layers if at in ANCHORS else (choice.usual,) for at in rows if len(rows[at].tasks) > 1
    }
    steps = Steps(part_of(progress, 1, 2), sum(map(len, probed.values())))
    for position, here in rows.items():
        if position not in probed:
            continue
        equal, everyone = _training_sets(here, settings)
        for layer in probed[position]:
            X = here.features(source, layer)
            found = _Fitted(
                fit_across_folds(X, here.labels, fold_of_row=here.fold_of_row, train=equal, Cs=STUDY_CS),
                fit_across_folds(X, here.labels, fold_of_row=here.fold_of_row, train=everyone, Cs=[_LARGE_C]),
            )
            scores += found.scores(here, layer)
            if layer == choice.usual:
                scores += method_scores(X, here, settings, layer=layer)
            if position == "last":
                at_last.append(found)
            steps.done()
        if position in ANCHORS:
            scores += baseline_scores(source, here)
    usual = last.features(source, choice.usual)
    found_controls = control_scores(usual, last, settings, layer=choice.usual)
    controls = score_table(found_controls, settings) if found_controls else None
    table = score_table(scores, settings)
    reported = _at_chosen_layers(last, choice, at_last, settings)
    differences, verdict = _judge(reported, last, choice, settings)
    tables = {
        "cross_fitted": reported.frame,
        "differences": differences,
        "selectivity": selectivity_table(controls, usual, last, settings),
        "means": table.means(["layer", "position", "probe"]),
        "layer_choice": choice.frame(),
    }
    rows_of_controls = [] if controls is None else [controls.frame]
    frame = pd.concat([table.frame, *rows_of_controls, left_out], ignore_index=True)
    return AnalysisResult(ANALYSIS.name, frame, verdict, tables)


def _training_sets(
    rows: ProbingRows, settings: AnalysisSettings
) -> tuple[Bool[np.ndarray, "n equal"], Bool[np.ndarray, "n all"]]:
    """Who trains on what: specialists, then generals of equal totals; all rows, then all but each task's."""
    own = rows.masks()
    general = np.zeros_like(own)
    for task in range(len(rows.tasks)):
        for fold in range(rows.n_folds):
            # Equal totals in every fold, so that they are equal whichever folds are held out.
            in_fold = rows.fold_of_row == fold
            size = int((in_fold & own[:, task]).sum())
            seed = settings.seed * 10_000 + task * 100 + fold
            general[:, task] |= subsample(in_fold, size=size, strata=rows.task_of_row, seed=seed)
    return np.hstack([own, general]), np.hstack([np.ones((len(own), 1), dtype=bool), ~own])


class _Fitted:
    """All probes of one layer and position; which column holds which is known here only."""

    def __init__(self, equal: AcrossFolds, everyone: AcrossFolds) -> None:
        self._equal, self._everyone = equal, everyone

    def _columns(self, probe: str, n_tasks: int) -> tuple[AcrossFolds, Int[np.ndarray, " tasks"]]:
        tasks = np.arange(n_tasks)
        match probe:
            case "specialist":
                return self._equal, tasks
            case "general":
                return self._equal, tasks + n_tasks
            case "general_all":
                return self._everyone, np.zeros(n_tasks, dtype=np.int64)
            case _:
                return self._everyone, tasks + 1

    def scores(self, rows: ProbingRows, layer: int) -> list[Score]:
        """Every probe on every task."""
        found = [(probe, *self._columns(probe, len(rows.tasks))) for probe in PROBES]
        return [
            score_fitted(rows, task, fits, column=int(columns[task]), layer=layer, probe=probe)
            for task in range(len(rows.tasks))
            for probe, fits, columns in found
        ]

    def sizes(self, probe: str, task: int, n_tasks: int) -> dict[str, float]:
        """Training rows of a task's probe, features, and their ratio."""
        fits, columns = self._columns(probe, n_tasks)
        n_train, d = float(fits.n[columns[task]].mean()), fits.fits.weight.shape[1]
        return {"n_train": n_train, "d": d, "n_over_d": n_train / d}

    def own_values(self, rows: ProbingRows) -> dict[str, Float[np.ndarray, " n"]]:
        """For each kind of probe, the out-of-fold value of every row by the probe of its own task."""
        found = {probe: self._columns(probe, len(rows.tasks)) for probe in PROBES}
        each = np.arange(len(rows.rows))
        return {
            probe: fits.scores[each, columns[rows.task_of_row]] for probe, (fits, columns) in found.items()
        }


def _at_chosen_layers(
    rows: ProbingRows,
    choice: LayerChoice,
    by_layer: list[_Fitted],
    settings: AnalysisSettings,
) -> ScoreTable:
    """The probes at the layer that each fold's other folds chose."""
    scores: list[Score] = []
    own_values = [found.own_values(rows) for found in by_layer]
    for probe in PROBES:
        values = report_folds([found[probe] for found in own_values], choice.index, rows)
        for task in range(len(rows.tasks)):
            # Who trains on what is the same at every layer.
            sizes = by_layer[0].sizes(probe, task, len(rows.tasks))
            scores.append(score(rows, task, values, probe=probe, **sizes))
    return score_table(scores, settings)


def _judge(
    reported: ScoreTable, rows: ProbingRows, choice: LayerChoice, settings: AnalysisSettings
) -> tuple[pd.DataFrame, Verdict]:
    """Differences by task, and the verdict on their mean."""
    probe, task = reported.frame["probe"], reported.frame["task"]
    mean = {name: reported.average(probe == name) for name in PROBES}
    records: list[dict[str, object]] = []
    for name in task.unique():
        own = task == name
        found = _difference(reported, own & (probe == "specialist"), own & (probe == "general"))
        row = reported.frame[own & (probe == "specialist")].iloc[0]
        records.append(
            {"task": name, **found, **{size: row[size] for size in ("n", "n_over_d", "n_base_queries")}}
        )
    differences = pd.DataFrame(records)
    differences["p_holm"] = holm(differences["p"].to_numpy(dtype=float))

    effect = mean["specialist"] - mean["general"]
    interval = reported.interval(effect)
    p = task_p(differences["difference"].to_numpy(dtype=float), settings)
    decision = decide(interval, supported_when="above", threshold=0.0, p=p, alpha=settings.alpha)
    specialist = reported.interval(mean["specialist"])
    rule = decision.rule + "; inconclusive when the specialists' own interval reaches 0.5"
    decision = replace(decision, rule=rule)
    general = reported.interval(mean["general"])
    notes = [
        f"specialists {specialist.estimate:.3f}, general {general.estimate:.3f}",
        f"layers chosen by fold: {', '.join(map(str, choice.chosen.tolist()))}",
    ]
    if not specialist.low > 0.5:
        decision = replace(decision, verdict="inconclusive")
        notes.insert(0, f"specialists are not above chance: {specialist.low:.3f} to {specialist.high:.3f}")
    ratio = reported.ratio(mean["leave_one_out"], mean["specialist"])
    shown = f"universality ratio {ratio.estimate:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
    notes.append(f"universality: {ratio.reason}" if ratio.reason else shown)
    return differences, make_verdict(ANALYSIS.claim, decision, interval, p=p, notes=(*notes, *rows.notes()))


def _difference(reported: ScoreTable, above: pd.Series[bool], below: pd.Series[bool]) -> dict[str, float]:
    weights = reported.average(above) - reported.average(below)
    interval = reported.interval(weights)
    return {
        "difference": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "p": reported.p(weights),
    }


def figure(result: AnalysisResult) -> Figure:
    """Layer curves at `last`, and both probes task by task at the layers chosen on other folds."""
    return draw(result)


_EVIDENCE = Evidence(
    "decodable",
    assumes=(
        "labels are right, or as wrong for all probes",
        "linear probes read what matters",
    ),
    broken_by=(
        "a general probe with more rows or another form that reaches the specialists",
        "labels that words alone carry: see the text baseline and counterfactual labels",
    ),
)


ANALYSIS = Analysis(
    name="specialist_vs_general",
    claim="specialists beat the general probe",
    run=run,
    figure=figure,
    evidence=lambda _: _EVIDENCE,
)
