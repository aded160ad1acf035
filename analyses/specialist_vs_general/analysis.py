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

A description. Effect: mean over tasks of the AUROC of specialist minus general, with its interval over
base queries and p (two-sided), which flips the signs of the tasks' differences. No verdict is drawn:
specialists lead in models in which one planted direction gates all tasks by as much as in those in which
nine do, since the words of the tasks differ either way. Inconclusive when the specialists' own interval
reaches 0.5, for then there is nothing to compare. How universal:
(leave_one_out - 0.5) / (specialist - 0.5), 1 for one mechanism, 0 for separate ones; none where the
specialists' interval reaches 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

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
from if_circuits.analyses.shared.beyond_words import TABLE, beyond_words, rung_of, told
from if_circuits.analyses.shared.both_labels import on_both_labels
from if_circuits.analyses.shared.cells import cells_of
from if_circuits.analyses.shared.layer_choice import LayerChoice, choose_layers
from if_circuits.analyses.shared.probing import (
    ProbingRows,
    left_out_rows,
    probing_rows,
    report_folds,
)
from if_circuits.analyses.shared.score_table import (
    Score,
    ScoreTable,
    score,
    score_table,
    task_p,
)
from if_circuits.analyses.shared.text_baselines import baselines_of, texts_of
from if_circuits.analyses.specialist_vs_general.controls import (
    control_table,
    controls_at,
    controls_of,
    selectivity_table,
)
from if_circuits.analyses.specialist_vs_general.figure import draw
from if_circuits.analyses.specialist_vs_general.fitting import (
    PROBES,
    AtCell,
    Probes,
    fitted_probes,
    training_sets,
)
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.progress import Report, part_of
from if_circuits.statistics.correction import holm
from if_circuits.statistics.verdicts import decide, describe

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_WHY_NO_VERDICT = (
    "specialists lead by as much in models in which one planted direction gates all tasks as in those in "
    "which nine do (docs/known-answers.md)"
)
_RULE = (
    "described and not judged: whether the interval lies wholly above 0 does not depend on what is claimed; "
    "inconclusive when the specialists' own interval reaches 0.5"
)
ANCHORS = ("prompt_end", "last")
"""Positions at which every layer is probed."""


def run(
    source: ActivationSource,
    settings: AnalysisSettings,
    *,
    engine: Engine = IN_PROCESS,
    progress: Report | None = None,
) -> AnalysisResult:
    """Probe every task with every kind of probe."""
    return on_both_labels(partial(_analyse, engine), source, settings, progress=progress)


def _analyse(
    engine: Engine, source: ActivationSource, settings: AnalysisSettings, progress: Report | None
) -> AnalysisResult:
    rows = {position: probing_rows(source, settings, position) for position in source.positions}
    last, left_out = rows["last"], left_out_rows(rows.values())
    if len(last.tasks) < 2:
        why = f"{len(last.tasks)} tasks can be probed at `last`, and a general probe needs two"
        return AnalysisResult(
            ANALYSIS.name, left_out, no_verdict(ANALYSIS.claim, "needs two tasks", (why, *last.notes()))
        )

    parts = [part_of(progress, part, 4) for part in range(4)]
    choice = choose_layers(source, last, source.layers, engine=engine, progress=parts[0])
    probed = {
        at: source.layers if at in ANCHORS else (choice.usual,) for at in rows if len(rows[at].tasks) > 1
    }
    units = [
        Probes(cell, *training, settings, more=cell.layer == choice.usual)
        for at, layers in probed.items()
        for training in (training_sets(rows[at], settings),)
        for cell in cells_of(source, rows[at], layers)
    ]
    fits = list(engine.map(fitted_probes, units, progress=parts[1]))
    texts = [each for at in probed if at in ANCHORS for each in texts_of(source, rows[at])]
    words = list(engine.map(baselines_of, texts, progress=parts[2]))
    scores: list[Score] = []
    for at in probed:
        scores += [each for one in fits if one.position == at for each in one.scores]
        here = (found for one, found in zip(texts, words, strict=True) if one.rows.position == at)
        scores += [each for found in here for each in found]
    at_last = [one for one in fits if one.position == "last"]
    (cell,) = cells_of(source, last, [choice.usual])
    found_controls = list(engine.map(controls_of, controls_at(cell, settings), progress=parts[3]))
    controls = control_table(found_controls, settings)
    table = score_table(scores, settings)
    chosen = _at_chosen_layers(last, choice, at_last)
    reported = score_table(chosen, settings)
    beyond = beyond_words(_of(chosen, "specialist"), _of(scores, "text", position="last"), settings)
    differences, verdict = _judge(reported, last, choice, settings)
    verdict = replace(verdict, notes=(*verdict.notes, told(beyond.iloc[0])))
    tables = {
        "cross_fitted": reported.frame,
        "differences": differences,
        "selectivity": selectivity_table(controls, [found.p for found in found_controls], last),
        "means": table.means(["layer", "position", "probe"]),
        "layer_choice": choice.frame(),
        TABLE: beyond,
    }
    rows_of_controls = [] if controls is None else [controls.frame]
    frame = pd.concat([table.frame, *rows_of_controls, left_out], ignore_index=True)
    return AnalysisResult(ANALYSIS.name, frame, verdict, tables)


def _of(scores: Sequence[Score], probe: str, *, position: str | None = None) -> list[Score]:
    kept = (each for each in scores if each.columns["probe"] == probe)
    return [each for each in kept if position is None or each.columns["position"] == position]


def _at_chosen_layers(rows: ProbingRows, choice: LayerChoice, by_layer: list[AtCell]) -> list[Score]:
    """The probes at the layer that each fold's other folds chose."""
    scores: list[Score] = []
    for probe in PROBES:
        values = report_folds([found.own_values[probe] for found in by_layer], choice.index, rows)
        for task in range(len(rows.tasks)):
            # Who trains on what is the same at every layer.
            sizes = by_layer[0].sizes[probe][task]
            scores.append(score(rows, task, values, probe=probe, **sizes))
    return scores


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
    decision = replace(describe(decision, interval, why=_WHY_NO_VERDICT), rule=_RULE)
    general = reported.interval(mean["general"])
    notes = [
        f"specialists {specialist.estimate:.3f}, general {general.estimate:.3f}",
        f"layers chosen by fold: {', '.join(map(str, choice.chosen.tolist()))}",
    ]
    if not specialist.low > 0.5:
        decision = replace(decision, verdict="inconclusive", notes=())
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


def evidence(result: AnalysisResult) -> Evidence:
    """On the rung of text where specialists do not beat the words, else of what can be decoded."""
    return Evidence(
        rung_of(result),
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
    evidence=evidence,
)
