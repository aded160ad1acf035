"""Analysis 1: does a probe for one task (specialist) read it better than one probe for all tasks (general)?

Compared on the same folds over base queries:

- specialist: trained on the task's own responses;
- general: trained on as many responses, spread evenly over all tasks, drawn anew for each task and fold;
- general_all: trained on the responses of all tasks;
- leave_one_out: the same without the task that it is tested on.

All layers at `prompt_end` and `last`, all positions at the layer that most folds chose. The claim is
tested at `last`, at the layer that each fold's other folds choose for the specialists (`layer_choice`).
Beside the probes stand baselines that see no activation: the majority class, the length, and the words
read so far.

Rule. Effect: mean over tasks of the AUROC of specialist minus general. Supported when its interval over
base queries lies above 0 and p <= alpha, where p (two-sided) flips the signs of the tasks' differences;
not supported when the interval lies below 0; else inconclusive, and inconclusive too when the
specialists' own interval reaches 0.5, for then there is nothing to compare. How universal:
(leave_one_out - 0.5) / (specialist - 0.5), 1 for one mechanism, 0 for separate ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import AnalysisResult, AnalysisSettings, Verdict, make_verdict, no_verdict
from if_circuits.analyses.layer_choice import LayerChoice, choose_layers
from if_circuits.analyses.probing import CS, ProbingRows, left_out_rows, probing_rows, report_folds
from if_circuits.analyses.score_table import Score, ScoreTable, score, score_fitted, score_table, task_p
from if_circuits.analyses.text_baselines import baseline_scores
from if_circuits.probes.across_folds import AcrossFolds, fit_across_folds
from if_circuits.probes.evaluate import subsample
from if_circuits.report.style import (
    CONTRAST,
    CONTROL,
    EFFECT,
    OKABE_ITO,
    layer_label,
    new_figure,
    ordered_tasks,
    task_label,
)
from if_circuits.statistics.correction import holm
from if_circuits.statistics.verdicts import decide

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from if_circuits.models.loading import LoadedModel

NAME = "specialist_vs_general"
CLAIM = "specialists beat the general probe"
PROBES = ("specialist", "general", "general_all", "leave_one_out")
ANCHORS = ("prompt_end", "last")
"""Positions at which every layer is probed."""
_LARGE_C = 0.01
"""Penalty of probes trained on all tasks: with so many rows it hardly matters, and choosing it is costly."""


def run(
    source: ActivationSource, settings: AnalysisSettings, *, model: LoadedModel | None = None
) -> AnalysisResult:
    """Probe every task with every kind of probe. `model` is not used."""
    del model
    rows = {position: probing_rows(source, settings, position) for position in source.positions}
    last, left_out = rows["last"], left_out_rows(rows.values())
    if len(last.tasks) < 2:
        why = f"{len(last.tasks)} tasks can be probed at `last`, and a general probe needs two"
        return AnalysisResult(NAME, left_out, no_verdict(CLAIM, "needs two tasks", (why, *last.notes())))

    choice = choose_layers(source, last, source.layers)
    scores: list[Score] = []
    at_last: list[dict[str, Float[np.ndarray, " n"]]] = []
    for position, here in rows.items():
        if len(here.tasks) < 2:
            continue
        equal, everyone = _training_sets(here, settings)
        for layer in source.layers if position in ANCHORS else (choice.usual,):
            X = here.features(source, layer)
            found = _Fitted(
                fit_across_folds(X, here.labels, fold_of_row=here.fold_of_row, train=equal, Cs=CS),
                fit_across_folds(X, here.labels, fold_of_row=here.fold_of_row, train=everyone, Cs=[_LARGE_C]),
            )
            scores += found.scores(here, layer)
            if position == "last":
                at_last.append(found.own_values(here))
        if position in ANCHORS:
            scores += baseline_scores(source, here)
    table = score_table(scores, settings)
    reported = _at_chosen_layers(last, choice, at_last, settings)
    differences, verdict = _judge(reported, last, choice, settings)
    tables = {
        "cross_fitted": reported.frame,
        "differences": differences,
        "means": table.means(["layer", "position", "probe"]),
        "layer_choice": choice.frame(),
    }
    return AnalysisResult(NAME, pd.concat([table.frame, left_out], ignore_index=True), verdict, tables)


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
    by_layer: list[dict[str, Float[np.ndarray, " n"]]],
    settings: AnalysisSettings,
) -> ScoreTable:
    """The probes at the layer that each fold's other folds chose."""
    scores: list[Score] = []
    for probe in PROBES:
        values = report_folds([found[probe] for found in by_layer], choice.index, rows)
        scores += [score(rows, task, values, probe=probe) for task in range(len(rows.tasks))]
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
        records.append({"task": name, **found})
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
    else:
        estimate, draws = reported.aurocs.estimate - 0.5, reported.draws - 0.5
        ratio = reported.interval_from(
            float(estimate @ mean["leave_one_out"] / (estimate @ mean["specialist"])),
            (draws @ mean["leave_one_out"]) / (draws @ mean["specialist"]),
        )
        notes.append(f"universality ratio {ratio.estimate:.2f} ({ratio.low:.2f} to {ratio.high:.2f})")
    return differences, make_verdict(CLAIM, decision, interval, p=p, notes=(*notes, *rows.notes()))


def _difference(reported: ScoreTable, above: pd.Series[bool], below: pd.Series[bool]) -> dict[str, float]:
    weights = reported.average(above) - reported.average(below)
    interval = reported.interval(weights)
    return {
        "difference": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "p": reported.p(weights),
    }


_LOOKS = {
    "specialist": (EFFECT, "-", "o", "specialist"),
    "general": (CONTRAST, "-", "s", "general, equal total"),
    "general_all": (CONTRAST, "--", "D", "general, all examples"),
    "leave_one_out": (OKABE_ITO["orange"], ":", "^", "general, task left out"),
    "text": (CONTROL, "-.", "", "words only"),
}


def figure(result: AnalysisResult) -> Figure:
    """Layer curves at `last`, and both probes task by task at the layers chosen on other folds."""
    drawing, (curves, tasks) = new_figure(1, 2, width=9.0, height=4.0)
    if "means" not in result.tables:
        return drawing
    means = result.tables["means"]
    last = means[means["position"] == "last"]
    for probe, (colour, line, marker, label) in _LOOKS.items():
        found = last[last["probe"] == probe].sort_values("layer")
        if probe == "text":
            curves.axhline(found["auroc"].iloc[0], color=colour, linestyle=line, label=label)
            continue
        curves.plot(found["layer"], found["auroc"], color=colour, linestyle=line, marker=marker, label=label)
        curves.fill_between(
            found["layer"].astype(float), found["low"], found["high"], color=colour, alpha=0.15
        )
    layers = sorted(last["layer"].dropna().unique())
    curves.set_xticks(layers, [layer_label(int(layer)) for layer in layers])
    curves.axhline(0.5, color="black", linewidth=0.6)
    curves.set(
        xlabel="layer (residual stream)", ylabel="AUROC, mean over tasks", title="At the last response token"
    )

    reported = result.tables["cross_fitted"]
    names = ordered_tasks(reported["task"].tolist())
    for probe, shift in (("specialist", -0.15), ("general", 0.15)):
        colour, _, marker, _ = _LOOKS[probe]
        found = reported[reported["probe"] == probe].set_index("task").loc[names]
        tasks.errorbar(
            found["auroc"],
            np.arange(len(names)) + shift,
            xerr=[found["auroc"] - found["low"], found["high"] - found["auroc"]],
            fmt=marker,
            color=colour,
        )
    tasks.set_yticks(range(len(names)), [task_label(name) for name in names])
    tasks.invert_yaxis()
    tasks.axvline(0.5, color="black", linewidth=0.6)
    verdict = result.verdict
    tasks.set(xlabel="AUROC at the chosen layers (95 % interval)", title="Task by task")
    drawing.legend(*curves.get_legend_handles_labels(), loc="outside lower center", ncols=len(_LOOKS))
    low, high = verdict.interval
    drawing.suptitle(
        f"Specialist minus general {verdict.effect:+.3f} [{low:+.3f}, {high:+.3f}]: {verdict.verdict} "
        f"({verdict.n} base queries, {int(reported['n'].sum() / len(PROBES))} responses)",
        fontsize=9,
    )
    return drawing
