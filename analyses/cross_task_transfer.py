"""Analysis 2: does a probe trained on one task read another, and most of all within a family of tasks?

Cell (A, B) is the AUROC on task B of the probe trained on task A, on the responses to base queries that
the probe has not seen. All cells of a fold come from the layer at `last` at which the specialists do
best in the other folds (`layer_choice`), so the diagonal is not flattered by the choice.

Rule. Effect: (mean off the diagonal - 0.5) / (mean on the diagonal - 0.5). The claim that transfer is
weak is supported when the interval of this ratio over base queries lies below 0.5 and p <= alpha, not
supported when above, else inconclusive. The interval takes the fitted probes as given; p does not: it flips
the signs, over training tasks, of how far a probe's transfer lies from half of its own excess over 0.5
(with fewer than six tasks it cannot fall to 0.05). Inconclusive too
unless the diagonal beats 0.5, by its interval and by a sign-flip test over tasks: else there is nothing to
transfer. That transfer is clustered by skill is a second finding, given in the notes and in the table
`families`: the mean within families minus the mean between them, tested by permuting the families of the
tasks. An AUROC below 0.5 counts as it is: a probe that reads another task upside down does not transfer.
Intervals and p of single cells take the probe as given: they are about this probe, not about the next.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import AnalysisResult, AnalysisSettings, make_verdict, no_verdict
from if_circuits.analyses.both_labels import COUNTERFACTUAL, NATURAL, of_labels, on_both_labels
from if_circuits.analyses.layer_choice import LayerChoice, choose_layers, specialists_at
from if_circuits.analyses.probing import ProbingRows, left_out_rows, probing_rows
from if_circuits.analyses.score_table import Score, ScoreTable, bootstrap_p, score, score_table, task_p
from if_circuits.report.style import (
    CONTROL,
    DIVERGING,
    EFFECT,
    draw_matrix,
    family_of,
    new_figure,
    task_colour,
)
from if_circuits.statistics.correction import benjamini_hochberg
from if_circuits.statistics.permutation import permutation_p
from if_circuits.statistics.verdicts import decide

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from if_circuits.models.loading import LoadedModel

NAME = "cross_task_transfer"
CLAIM = "transfer between tasks is weak"
WEAK = 0.5
"""Transfer is weak when it carries less than this share of what a task's own probe reads."""


def run(
    source: ActivationSource, settings: AnalysisSettings, *, model: LoadedModel | None = None
) -> AnalysisResult:
    """Test the probe of every task on every task. `model` is not used."""
    del model
    return on_both_labels(_analyse, source, settings)


def _analyse(source: ActivationSource, settings: AnalysisSettings) -> AnalysisResult:
    rows = probing_rows(source, settings, "last")
    left_out = left_out_rows([rows])
    if len(rows.tasks) < 2:
        why = f"{len(rows.tasks)} tasks can be probed at `last`, and transfer needs two"
        return AnalysisResult(NAME, left_out, no_verdict(CLAIM, "needs two tasks", (why, *rows.notes())))
    choice = choose_layers(source, rows, source.layers)
    cells = score_table(_transfer(source, rows, choice), settings)
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
    estimates, draws = cells.aurocs.estimate - 0.5, cells.draws - 0.5
    ratio = (draws @ other) / (draws @ own)
    interval = cells.interval_from(float(estimates @ other / (estimates @ own)), ratio)
    p = task_p(_beyond_weak(cells.frame), settings)
    decision = decide(interval, supported_when="below", threshold=WEAK, p=p, alpha=settings.alpha)
    own_p = task_p(estimates[diagonal], settings)
    gate = (
        f"the diagonal beats 0.5 by its interval and by a sign-flip test over tasks (p <= {settings.alpha:g})"
    )
    decision = replace(decision, rule=f"{decision.rule}; inconclusive unless {gate}")
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
    verdict = make_verdict(CLAIM, decision, interval, p=p, notes=tuple(notes))
    table = pd.concat([cells.frame, left_out], ignore_index=True)
    return AnalysisResult(NAME, table, verdict, {"families": families, "layer_choice": choice.frame()})


def _beyond_weak(cells: pd.DataFrame) -> Float[np.ndarray, " tasks"]:
    """For each training task: its mean excess over 0.5 on other tasks, less `WEAK` of that on its own."""
    excess = _matrix(cells, list(dict.fromkeys(cells["train_task"]))) - 0.5
    own = np.diag(excess)
    return (excess.sum(axis=1) - own) / (len(excess) - 1) - WEAK * own


def _transfer(source: ActivationSource, rows: ProbingRows, choice: LayerChoice) -> list[Score]:
    """Every task's probe on every task, each fold at its own layer."""
    names = [task.name for task in rows.tasks]
    found = specialists_at(source, rows, choice)
    return [
        score(
            rows,
            test,
            found.values[:, train],
            threshold=found.prior[:, train],
            train_task=names[train],
            train_family=family_of(names[train]),
            family=family_of(names[test]),
            within_family=family_of(names[train]) == family_of(names[test]),
            probe="specialist",
            n_train=float(found.n_train[train]),
            n_over_d=float(found.n_over_d[train]),
        )
        for train in range(len(names))
        for test in range(len(names))
    ]


def _matrix(cells: pd.DataFrame, names: list[str]) -> Float[np.ndarray, "train test"]:
    wide = cells.pivot(index="train_task", columns="task", values="auroc")
    return wide.loc[names, names].to_numpy(dtype=float)


def _clustered(matrix: Float[np.ndarray, "tasks tasks"]) -> Int[np.ndarray, " tasks"]:
    """An order of the tasks in which those that transfer to each other are neighbours.

    Average linkage; the distance of two tasks is 1 minus their mean transfer. It plays no part in the
    verdict.
    """
    if len(matrix) < 3:
        return np.arange(len(matrix))
    distance = 1 - (matrix + matrix.T) / 2
    np.fill_diagonal(distance, 0)
    return leaves_list(linkage(squareform(distance, checks=False), method="average", optimal_ordering=True))


def _family_test(cells: ScoreTable, settings: AnalysisSettings) -> pd.DataFrame:
    """Transfer within families against between them, and its permutation test over the families of the
    tasks."""
    names = list(dict.fromkeys(cells.frame["task"]))
    families = pd.factorize(np.array([family_of(name) for name in names]))[0]
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
    """The matrix on each kind of labels, in the order that natural ones cluster; and its cells by kind."""
    drawing, (matrix, counterfactual, kinds) = new_figure(1, 3, width=15.5, height=4.8)
    if "families" not in result.tables:
        return drawing
    scored = result.table[result.table["reason"] == ""]
    cells = of_labels(scored, NATURAL).sort_values("place")
    names = list(dict.fromkeys(cells["task"]))
    _draw_cells(matrix, cells, names, "Natural labels (* differs from 0.5, FDR 5 %)")
    _draw_cells(
        counterfactual, of_labels(scored, COUNTERFACTUAL), names, "Counterfactual labels (empty: no pairs)"
    )

    diagonal = cells["train_task"] == cells["task"]
    alike = cells["within_family"].astype(bool)
    groups = {"own task": diagonal, "same family": alike & ~diagonal, "other family": ~alike}
    rng = np.random.default_rng(0)
    for place, (kind, chosen) in enumerate(groups.items()):
        found = cells.loc[chosen, "auroc"].to_numpy(dtype=float)
        colour = CONTROL if kind == "other family" else EFFECT
        spread = rng.uniform(-0.15, 0.15, size=len(found))
        kinds.scatter(place + spread, found, s=14, color=colour, alpha=0.5, linewidths=0)
        if len(found):
            kinds.hlines(found.mean(), place - 0.28, place + 0.28, color=colour, linewidth=2)
    kinds.axhline(0.5, color="black", linewidth=0.6)
    kinds.set_xticks(range(len(groups)), list(groups))
    kinds.set_xlim(-0.5, len(groups) - 0.5)
    families = of_labels(result.tables["families"], NATURAL).iloc[0]
    kinds.set(
        ylabel="AUROC of a cell (bar: mean)",
        title=f"Same minus other family {families['difference']:+.3f}\n"
        f"[{families['low']:+.3f}, {families['high']:+.3f}], p = {families['p']:.2g}",
    )
    verdict = result.verdict
    low, high = verdict.interval
    responses = int(cells.loc[diagonal, "n"].sum())
    drawing.suptitle(
        f"Transfer ratio {verdict.effect:.2f} [{low:.2f}, {high:.2f}]: {verdict.verdict} "
        f"(natural labels, {verdict.n} base queries, {responses} responses, last token)",
        fontsize=9,
    )
    return drawing


def _draw_cells(axes: Axes, cells: pd.DataFrame, names: list[str], title: str) -> None:
    """One matrix of transfer; tasks without a cell stay empty."""
    values = cells.pivot(index="train_task", columns="task", values="auroc").reindex(
        index=names, columns=names
    )
    draw_matrix(
        axes,
        values.to_numpy(dtype=float),
        rows=names,
        columns=names,
        low=0.0,
        high=1.0,
        colours=DIVERGING,
        label="AUROC",
    )
    marked = cells[cells["p_adjusted"] < 0.05]
    for trained, tested, auroc in zip(marked["train_task"], marked["task"], marked["auroc"], strict=True):
        if trained in names and tested in names:
            ink = "white" if abs(auroc - 0.5) > 0.35 else "black"
            x, y = names.index(tested), names.index(trained)
            axes.text(x + 0.44, y - 0.2, "*", ha="right", va="center", fontsize=9, color=ink)
    _family_bars(axes, names)
    axes.set(xlabel=f"tested on (n = {int(cells.drop_duplicates('task')['n'].sum())})", ylabel="trained on")
    axes.set_title(title, pad=12)


def _family_bars(axes: Axes, names: list[str]) -> None:
    """A strip in the colour of each task's family along the top and the right of a matrix."""
    for place, name in enumerate(names):
        side: dict[str, Any] = {
            "color": task_colour(name),
            "linewidth": 4,
            "solid_capstyle": "butt",
            "clip_on": False,
        }
        edge = len(names) - 0.5
        axes.plot([place - 0.5, place + 0.5], [-0.62, -0.62], **side)
        axes.plot([edge + 0.12, edge + 0.12], [place - 0.5, place + 0.5], **side)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
