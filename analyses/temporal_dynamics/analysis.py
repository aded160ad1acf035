"""Analysis 5: is compliance readable before the response (planning), or does it build up while writing
(monitoring)?

The specialists' AUROC along the response, against a classifier that reads the words of the prompt and of
the same prefix of the response (`text_baselines`). What the words give away grows with the response by
itself, so only the probe's advantage over the words counts.

Relative positions know the final length of the response. Beside them stand the absolute places: the mean
number of response tokens read, and the mean index in the whole sequence. Responses that lack a position
(truncated ones have no `eos`, empty ones no response token) leave it; `survivors` counts who is left.

`prompt_end` and `last` are each probed at every layer and report, fold by fold, the layer that does best
at that position in the other folds: planning may live at another depth than monitoring. The other
positions are shown at the layers chosen for `last`.

Rule. Effect: (probe - words) at `last` minus (probe - words) at `prompt_end`, mean over the tasks that
can be probed at both. Monitoring is supported when its interval over base queries lies above 0 and p <=
alpha, where p (two-sided) flips the signs of the tasks' differences; not supported when the interval
lies below 0; else inconclusive, and inconclusive too when the probes' interval reaches 0.5 at both
positions. The effect is one of timing in what can be decoded; it does not say what the model does with
it. On counterfactual labels the probe is at chance at `prompt_end` by design, since the text that decides
the label is still to come; the effect then is what is read at `last`, and says nothing about planning.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float

from if_circuits.activations.positions import ABSENT, prefix_lengths, token_indices
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
from if_circuits.analyses.shared.layer_choice import choose_layers
from if_circuits.analyses.shared.probing import left_out_rows, probing_rows
from if_circuits.analyses.shared.score_table import ScoreTable, score_table, task_p
from if_circuits.analyses.temporal_dynamics.figure import draw
from if_circuits.analyses.temporal_dynamics.probing import END, START, scores_along
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.progress import Report, part_of
from if_circuits.statistics.correction import holm
from if_circuits.statistics.verdicts import decide

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def run(
    source: ActivationSource,
    settings: AnalysisSettings,
    *,
    engine: Engine = IN_PROCESS,
    progress: Report | None = None,
) -> AnalysisResult:
    """Probe every task along the response, and read the words beside it."""
    return on_both_labels(partial(_analyse, engine), source, settings, progress=progress)


def _analyse(
    engine: Engine, source: ActivationSource, settings: AnalysisSettings, progress: Report | None
) -> AnalysisResult:
    rows = {position: probing_rows(source, settings, position) for position in source.positions}
    left_out = left_out_rows(rows.values())
    survivors = _survivors(source)
    both = {task.name for task in rows[START].tasks} & {task.name for task in rows[END].tasks}
    if not both:
        notes = ("no task can be probed at both `prompt_end` and `last`", *rows[END].notes())
        return AnalysisResult(
            ANALYSIS.name,
            left_out,
            no_verdict(ANALYSIS.claim, "needs a task", notes),
            {"survivors": survivors},
        )
    choices = {
        position: choose_layers(
            source, rows[position], source.layers, engine=engine, progress=part_of(progress, part, 4)
        )
        for part, position in enumerate((START, END))
    }
    scores = scores_along(source, rows, choices, engine, part_of(progress, 2, 4), part_of(progress, 3, 4))
    table = score_table(scores, settings)
    advantages, verdict = _judge(
        table, [task.name for task in rows[END].tasks if task.name in both], settings
    )
    chosen = {position: ", ".join(map(str, choice.chosen.tolist())) for position, choice in choices.items()}
    notes = (
        *verdict.notes,
        f"layers chosen by fold: {chosen[START]} at `{START}`, {chosen[END]} at `{END}`",
        *rows[START].notes(),
        *(f"{task} left out at {END}: {why}" for task, why in rows[END].left_out.items()),
    )
    places = survivors.drop(columns=["responses", "survivors"])
    frame = table.frame.merge(places, on=["task", "position"], how="left", validate="many_to_one")
    return AnalysisResult(
        ANALYSIS.name,
        pd.concat([frame, left_out], ignore_index=True),
        replace(verdict, notes=notes),
        {
            "survivors": survivors,
            "advantages": advantages,
            "means": table.means(["position", "probe"]),
            "advantage_by_position": _advantage_by_position(table),
            "layer_choice": pd.concat(
                [choice.frame().assign(position=position) for position, choice in choices.items()],
                ignore_index=True,
            ),
        },
    )


def _survivors(source: ActivationSource) -> pd.DataFrame:
    """Constrained responses that have each position, and where it lies in them, task by task."""
    responses = source.responses[source.responses["constrained"].astype(bool)]
    records: list[dict[str, object]] = []
    facts = zip(
        responses["task"],
        responses["prompt_tokens"].map(len),
        responses["n_tokens"],
        responses["truncated"],
        strict=True,
    )
    for task, n_prompt, n_tokens, truncated in facts:
        read = prefix_lengths(int(n_tokens), truncated=bool(truncated))
        for position, index in token_indices(int(n_prompt), int(n_tokens), truncated=bool(truncated)).items():
            records.append({"task": task, "position": position, "read": read[position], "index": index})
    places = pd.DataFrame(records)
    present = places["index"] != ABSENT
    places[["read", "index"]] = places[["read", "index"]].astype(float).where(present)
    found = places.groupby(["task", "position"], sort=False)
    return found.agg(
        responses=("task", "size"),
        survivors=("index", "count"),
        mean_tokens_read=("read", "mean"),
        mean_index=("index", "mean"),
    ).reset_index()


def _judge(table: ScoreTable, tasks: list[str], settings: AnalysisSettings) -> tuple[pd.DataFrame, Verdict]:
    """The advantage of the probe over the words at the start and the end by task, and the verdict on its
    growth."""
    frame = table.frame

    def mean(probe: str, position: str, among: list[str]) -> Float[np.ndarray, " scores"]:
        chosen = (frame["probe"] == probe) & (frame["position"] == position) & frame["task"].isin(among)
        return table.average(chosen)

    def advantage(position: str, among: list[str]) -> Float[np.ndarray, " scores"]:
        return mean("specialist", position, among) - mean("text", position, among)

    records: list[dict[str, object]] = []
    for task in tasks:
        growth = table.interval(advantage(END, [task]) - advantage(START, [task]))
        records.append(
            {
                "task": task,
                "at_start": table.interval(advantage(START, [task])).estimate,
                "at_end": table.interval(advantage(END, [task])).estimate,
                "growth": growth.estimate,
                "low": growth.low,
                "high": growth.high,
                "p": table.p(advantage(END, [task]) - advantage(START, [task])),
                "n": int(frame.loc[(frame["task"] == task) & (frame["position"] == END), "n"].iloc[0]),
                "n_over_d": frame.loc[mean("specialist", END, [task]) > 0, "n_over_d"].iloc[0],
                "n_base_queries": growth.n_groups,
            }
        )
    advantages = pd.DataFrame(records)
    advantages["p_holm"] = holm(advantages["p"].to_numpy(dtype=float))

    effect = advantage(END, tasks) - advantage(START, tasks)
    interval = table.interval(effect)
    p = task_p(advantages["growth"].to_numpy(dtype=float), settings)
    decision = decide(interval, supported_when="above", threshold=0.0, p=p, alpha=settings.alpha)
    rule = decision.rule + "; inconclusive when the probes' interval reaches 0.5 at both positions"
    decision = replace(decision, rule=rule)
    read = {position: table.interval(mean("specialist", position, tasks)) for position in (START, END)}
    words = {position: table.interval(mean("text", position, tasks)).estimate for position in (START, END)}
    notes = [f"probe {read[at].estimate:.3f} and words {words[at]:.3f} at `{at}`" for at in (START, END)]
    if not any(found.low > 0.5 for found in read.values()):
        decision = replace(decision, verdict="inconclusive")
        notes.insert(0, "the probes are above chance at neither position")
    return advantages, make_verdict(ANALYSIS.claim, decision, interval, p=p, notes=tuple(notes))


def _advantage_by_position(table: ScoreTable) -> pd.DataFrame:
    """Mean over tasks of probe minus words at every position, with intervals."""
    probe, position = table.frame["probe"], table.frame["position"]
    records: list[dict[str, object]] = []
    for name in position.unique():
        here = position == name
        weights = table.average(here & (probe == "specialist")) - table.average(here & (probe == "text"))
        found = table.interval(weights)
        records.append(
            {
                "position": name,
                "advantage": found.estimate,
                "low": found.low,
                "high": found.high,
                "n_tasks": int((here & (probe == "specialist")).sum()),
                "n": int(table.frame.loc[here & (probe == "specialist"), "n"].sum()),
                "n_over_d": table.frame.loc[here & (probe == "specialist"), "n_over_d"].mean(),
                "n_base_queries": found.n_groups,
            }
        )
    return pd.DataFrame(records)


def figure(result: AnalysisResult) -> Figure:
    """Probe and words along the response, their difference, and the probe task by task."""
    return draw(result)


_EVIDENCE = Evidence(
    "decodable",
    assumes=("the classifier of words reads all that the words give away",),
    broken_by=(
        "a stronger reader of the words that closes the gap",
        "positions that know the response's length",
    ),
)


ANALYSIS = Analysis(
    name="temporal_dynamics",
    claim="monitoring, not planning: compliance becomes readable while the response is written",
    run=run,
    figure=figure,
    evidence=lambda _: _EVIDENCE,
)
