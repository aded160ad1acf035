"""Analysis 2: does a probe trained on one task read another, and most of all within a family of tasks?

Cell (A, B) is the AUROC on task B of the probe trained on task A, on the responses to base queries that
the probe has not seen. All cells of a fold come from the layer at `last` at which the specialists do
best in the other folds (`layer_choice`), so the diagonal is not flattered by the choice.

Rule. Effect: (mean off the diagonal - 0.5) / (mean on the diagonal - 0.5). The claim that transfer is
weak is supported when the interval of this ratio over base queries lies below 0.5 and p <= alpha, not
supported when above, else inconclusive. The interval takes the fitted probes as given; p does not: it flips
the signs, over training tasks, of how far a probe's transfer lies from half of its own excess over 0.5
(with fewer than six tasks it cannot fall to 0.05). Inconclusive too unless the diagonal beats 0.5, by its
interval and by a sign-flip test over tasks: else there is nothing to transfer, and where the interval reaches
0.5 there is no ratio either. And inconclusive unless the specialists beat the words of their rows
(`shared.beyond_words`): between words alone transfer is weak as well, in a model that learned nothing too.
That transfer is clustered by skill is a second finding, given in the notes and in the table `families`: the
mean within families minus the mean between them, tested by permuting the families of the tasks. An AUROC
below 0.5 counts as it is: a probe that reads another task upside down does not transfer. Intervals and p of
single cells take the probe as given: they are about this probe, not about the next.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
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
    make_verdict,
    no_verdict,
)
from if_circuits.analyses.cross_task_transfer.figure import draw
from if_circuits.analyses.shared.beyond_words import TABLE, beats_words, beyond_words, rung_of, told
from if_circuits.analyses.shared.both_labels import on_both_labels
from if_circuits.analyses.shared.layer_choice import ChosenSpecialists, choose_layers, specialists_at
from if_circuits.analyses.shared.probing import ProbingRows, left_out_rows, probing_rows
from if_circuits.analyses.shared.row_scores import row_scores
from if_circuits.analyses.shared.score_table import Score, ScoreTable, bootstrap_p, score, score_table, task_p
from if_circuits.analyses.shared.text_baselines import text_score, texts_of
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.plotting.clustering import leaf_order, linkage_of
from if_circuits.progress import Report
from if_circuits.statistics.correction import benjamini_hochberg
from if_circuits.statistics.permutation import permutation_p
from if_circuits.statistics.verdicts import decide

if TYPE_CHECKING:
    from matplotlib.figure import Figure


WEAK = 0.5
"""Transfer is weak when it carries less than this share of what a task's own probe reads."""


def run(
    source: ActivationSource,
    settings: AnalysisSettings,
    *,
    engine: Engine = IN_PROCESS,
    progress: Report | None = None,
) -> AnalysisResult:
    """Test the probe of every task on every task."""
    return on_both_labels(partial(_analyse, engine), source, settings, progress=progress)


def _analyse(
    engine: Engine, source: ActivationSource, settings: AnalysisSettings, progress: Report | None
) -> AnalysisResult:
    rows = probing_rows(source, settings, "last")
    left_out = left_out_rows([rows])
    if len(rows.tasks) < 2:
        why = f"{len(rows.tasks)} tasks can be probed at `last`, and transfer needs two"
        return AnalysisResult(
            ANALYSIS.name, left_out, no_verdict(ANALYSIS.claim, "needs two tasks", (why, *rows.notes()))
        )
    choice = choose_layers(source, rows, source.layers, engine=engine, progress=progress)
    specialists = specialists_at(source, rows, choice, engine=engine)
    cells = score_table(_transfer(rows, specialists), settings)
    diagonal = (cells.frame["train_task"] == cells.frame["task"]).to_numpy()
    cells.frame["p"] = [bootstrap_p(draws, threshold=0.5) for draws in cells.draws.T]
    cells.frame["p_adjusted"] = np.nan
    cells.frame.loc[~diagonal, "p_adjusted"] = benjamini_hochberg(cells.frame.loc[~diagonal, "p"].to_numpy())
    order = _clustered(_matrix(cells.frame, [task.name for task in rows.tasks]))
    places = {rows.tasks[task].name: place for place, task in enumerate(order.tolist())}
    cells.frame["train_place"] = cells.frame["train_task"].map(places)
    cells.frame["place"] = cells.frame["task"].map(places)
    families = _family_test(cells, settings)

    own, other = cells.average(diagonal), cells.average(~diagonal)
    interval = cells.ratio(other, own)
    p = task_p(_beyond_weak(cells.frame), settings)
    decision = decide(interval, supported_when="below", threshold=WEAK, p=p, alpha=settings.alpha)
    own_p = task_p(cells.estimates[diagonal] - 0.5, settings)
    gate = (
        f"the diagonal beats 0.5 by its interval and by a sign-flip test over tasks (p <= {settings.alpha:g})"
    )
    beats = "unless specialists beat the words alone by the interval"
    decision = replace(decision, rule=f"{decision.rule}; inconclusive unless {gate}, and {beats}")
    within = cells.interval(own)
    clustered = families.iloc[0]
    notes = [
        f"mean AUROC {within.estimate:.3f} on the diagonal, {cells.interval(other).estimate:.3f} off it",
        f"within families {clustered['within']:.3f}, between {clustered['between']:.3f}, "
        f"p = {clustered['p']:.3g} (families permuted)",
        f"layers chosen by fold: {', '.join(map(str, choice.chosen.tolist()))}",
        *rows.notes(),
    ]
    if not (within.low > 0.5 and own_p <= settings.alpha):
        decision = replace(decision, verdict="inconclusive")
        note = f"the diagonal is not above chance: {within.low:.3f} to {within.high:.3f}, p = {own_p:.3g}"
        notes.insert(0, note)
    beyond = _beyond_words(source, rows, specialists, settings, engine=engine)
    notes.append(told(beyond.iloc[0]))
    if not beats_words(beyond):
        decision = replace(decision, verdict="inconclusive")
        notes.insert(
            0, "specialists do not beat the words alone, so that the words may be all that transfers"
        )
    verdict = make_verdict(ANALYSIS.claim, decision, interval, p=p, notes=tuple(notes))
    table = pd.concat([cells.frame, left_out], ignore_index=True)
    tables = {
        "families": families,
        "layer_choice": choice.frame(),
        "scores": _scores(source, rows, specialists),
        TABLE: beyond,
    }
    return AnalysisResult(ANALYSIS.name, table, verdict, tables)


def _beyond_words(
    source: ActivationSource,
    rows: ProbingRows,
    found: ChosenSpecialists,
    settings: AnalysisSettings,
    *,
    engine: Engine,
) -> pd.DataFrame:
    """Each task's own probe against the words of the same rows."""
    own = [score(rows, task, found.values[:, task], probe="specialist") for task in range(len(rows.tasks))]
    return beyond_words(own, list(engine.map(text_score, texts_of(source, rows))), settings)


def _beyond_weak(cells: pd.DataFrame) -> Float[np.ndarray, " tasks"]:
    """For each training task: its mean excess over 0.5 on other tasks, less `WEAK` of that on its own."""
    excess = _matrix(cells, list(dict.fromkeys(cells["train_task"]))) - 0.5
    own = np.diag(excess)
    return (excess.sum(axis=1) - own) / (len(excess) - 1) - WEAK * own


def _transfer(rows: ProbingRows, found: ChosenSpecialists) -> list[Score]:
    """Every task's probe on every task, each fold at its own layer."""
    names = [task.name for task in rows.tasks]
    return [
        score(
            rows,
            test,
            found.values[:, train],
            threshold=found.prior[:, train],
            train_task=names[train],
            train_family=rows.tasks[train].family,
            within_family=rows.tasks[train].family == rows.tasks[test].family,
            probe="specialist",
            n_train=float(found.n_train[train]),
            n_over_d=float(found.n_over_d[train]),
        )
        for train in range(len(names))
        for test in range(len(names))
    ]


def _scores(source: ActivationSource, rows: ProbingRows, found: ChosenSpecialists) -> pd.DataFrame:
    """What every cell is made of: the score of every response under every task's probe."""
    return pd.concat(
        [
            row_scores(source, rows, test, found.values[:, train]).assign(train_task=rows.tasks[train].name)
            for train in range(len(rows.tasks))
            for test in range(len(rows.tasks))
        ],
        ignore_index=True,
    )


def _matrix(cells: pd.DataFrame, names: list[str]) -> Float[np.ndarray, "train test"]:
    wide = cells.pivot(index="train_task", columns="task", values="auroc")
    return wide.loc[names, names].to_numpy(dtype=float)


def _clustered(matrix: Float[np.ndarray, "tasks tasks"]) -> Int[np.ndarray, " tasks"]:
    """An order of the tasks in which those that transfer to each other are neighbours.

    Similarity of two tasks is their mean transfer. The order plays no part in the verdict.
    """
    return leaf_order(linkage_of((matrix + matrix.T) / 2))


def _family_test(cells: ScoreTable, settings: AnalysisSettings) -> pd.DataFrame:
    """Transfer within families against between them, and its permutation test over the families of the
    tasks."""
    names = list(dict.fromkeys(cells.frame["task"]))
    family_of = dict(zip(cells.frame["task"], cells.frame["family"], strict=True))
    families = pd.factorize(np.array([family_of[name] for name in names]))[0]
    matrix = _matrix(cells.frame, names)
    off = ~np.eye(len(names), dtype=bool)

    def same(labels: Int[np.ndarray, " tasks"]) -> Bool[np.ndarray, "tasks tasks"]:
        return (labels[:, None] == labels) & off

    if not same(families).any() or same(families)[off].all():
        return pd.DataFrame([dict.fromkeys(("within", "between", "difference", "low", "high", "p"), np.nan)])

    def gap(labels: Int[np.ndarray, " tasks"]) -> float:
        alike = same(labels)
        return float(matrix[alike].mean() - matrix[~alike & off].mean())

    rng = np.random.default_rng(settings.seed)
    null = np.array([gap(rng.permutation(families)) for _ in range(settings.n_permutations)])
    alike = cells.frame["within_family"].to_numpy(dtype=bool)
    diagonal = (cells.frame["train_task"] == cells.frame["task"]).to_numpy()
    within, between = cells.average(alike & ~diagonal), cells.average(~alike)
    difference = cells.interval(within - between)
    return pd.DataFrame(
        [
            {
                "within": cells.interval(within).estimate,
                "between": cells.interval(between).estimate,
                "difference": difference.estimate,
                "low": difference.low,
                "high": difference.high,
                "p": permutation_p(gap(families), null, alternative="greater"),
            }
        ]
    )


def figure(result: AnalysisResult) -> Figure:
    """The matrix on each kind of labels in one clustered order, and its cells by kind."""
    return draw(result)


def evidence(result: AnalysisResult) -> Evidence:
    """On the rung of text where specialists do not beat the words, else of what can be decoded."""
    return Evidence(
        rung_of(result),
        assumes=(
            "a probe that reads another task reads something that both share",
            "labels are as hard to read in every task",
        ),
        broken_by=(
            "a confound that two tasks share, such as length",
            "transfer at another layer or position",
        ),
    )


ANALYSIS = Analysis(
    name="cross_task_transfer",
    claim="transfer between tasks is weak",
    run=run,
    figure=figure,
    evidence=evidence,
)
