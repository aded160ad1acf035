"""Verdicts again, on the responses on which two different judges agree.

A judge's mistakes can follow what the model represents, and then a probe reads the judge. A second judge that
is made in another way, word lists beside an encoder, errs elsewhere. Where the two disagree, a response is
undecided here and takes part in nothing; a pair of which either row is in dispute is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from if_circuits.activations.captured import CapturedActivations
from if_circuits.analyses.base import AnalysisSettings, get_analysis
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.generation.sampling import sampled
from if_circuits.progress import Report, Steps
from if_circuits.study.outlook import shortages
from if_circuits.tasks.judges.choice import second_judges
from if_circuits.tasks.labels import Label
from if_circuits.tasks.registry import get_task
from if_circuits.tasks.verification import verify

DISPUTED = "two judges disagree"
_SATISFIED, _VIOLATED, _UNDECIDED = (
    label.value for label in (Label.SATISFIED, Label.VIOLATED, Label.UNDECIDED)
)


@dataclass(frozen=True, eq=False)
class Agreement:
    """What two judges make of a study's responses, and of its verdicts."""

    judges: pd.DataFrame
    """One row a judged task: `agreement_table`."""
    verdicts: pd.DataFrame
    """One row an analysis, on the agreed labels: `verdicts_on`."""


def find_agreement(
    source: CapturedActivations,
    names: Sequence[str],
    settings: AnalysisSettings,
    *,
    judges: Mapping[str, str],
    engine: Engine = IN_PROCESS,
    progress: Report | None = None,
) -> Agreement:
    """The agreement of the judges, by property, with others; and the verdicts on the labels agreed on.

    Analyses that use the model would have to generate anew, and are left out. The `engine` carries out the
    units of the others.
    """
    second = second_verdicts(source.responses, judges)
    table = agreement_table(source.responses, second, judges)
    source = agreed(source, second, judges)
    return Agreement(table, verdicts_on(source, names, settings, engine=engine, progress=progress))


def second_verdicts(rows: pd.DataFrame, judges: Mapping[str, str]) -> pd.Series:
    """What each row's verdict is by another judge than those in `judges`, by property.

    Missing for tasks that are verified exactly, and for those with no second judge.
    """
    second = second_judges(judges)
    asked = np.array([get_task(str(name)).judge in second for name in rows["task"]], dtype=bool)
    found = pd.Series(None, index=rows.index, dtype=object)
    if asked.any():
        again = verify(rows[asked].reset_index(drop=True), chosen=second.items())
        found[asked] = again["verdict"].to_numpy()
    return found


def agreement_table(rows: pd.DataFrame, second: pd.Series, judges: Mapping[str, str]) -> pd.DataFrame:
    """Of each task with two judges, what they say of its sampled responses to constrained prompts.

    Columns: task, judge, second_judge; n, the responses that the first judge decides; both_satisfied,
    both_violated, satisfied_violated (by the first and by the second), violated_satisfied and
    second_undecided, which add up to n; same_label, the share of n on which both say the same; and kappa, of
    the responses that both decide (Cohen 1960).
    """
    others = second_judges(judges)
    asked = sampled(rows)
    asked = asked[asked["constrained"]]
    said = second.loc[asked.index]
    records: list[dict[str, object]] = []
    for task in sorted(set(asked.loc[said.notna(), "task"])):
        own = asked["task"] == task
        first, then = asked.loc[own, "verdict"], said[own]
        counts = {
            (a, b): int(((first == a) & (then == b)).sum())
            for a in (_SATISFIED, _VIOLATED)
            for b in (_SATISFIED, _VIOLATED, _UNDECIDED)
        }
        n, what = sum(counts.values()), str(get_task(str(task)).judge)
        both, neither = counts[_SATISFIED, _SATISFIED], counts[_VIOLATED, _VIOLATED]
        one, other = counts[_SATISFIED, _VIOLATED], counts[_VIOLATED, _SATISFIED]
        records.append(
            {
                "task": task,
                "judge": judges[what],
                "second_judge": others[what],
                "n": n,
                "both_satisfied": both,
                "both_violated": neither,
                "satisfied_violated": one,
                "violated_satisfied": other,
                "second_undecided": n - both - neither - one - other,
                "same_label": (both + neither) / n if n else float("nan"),
                "kappa": _kappa(both, neither, one, other),
            }
        )
    return pd.DataFrame(records, columns=list(_COLUMNS))


_COLUMNS = (
    "task",
    "judge",
    "second_judge",
    "n",
    "both_satisfied",
    "both_violated",
    "satisfied_violated",
    "violated_satisfied",
    "second_undecided",
    "same_label",
    "kappa",
)


def _kappa(both: int, neither: int, one: int, other: int) -> float:
    """Agreement beyond chance at the judges' rates; NaN where both say one and the same thing of all."""
    n = both + neither + one + other
    if not n:
        return float("nan")
    first, second = (both + one) / n, (both + other) / n
    chance = first * second + (1 - first) * (1 - second)
    return ((both + neither) / n - chance) / (1 - chance) if chance < 1 else float("nan")


def agreed(source: CapturedActivations, second: pd.Series, judges: Mapping[str, str]) -> CapturedActivations:
    """The source with every response in dispute undecided; `second` is of its responses."""
    responses = source.responses.copy()
    disputed = (second.notna() & (second != responses["verdict"])).to_numpy()
    responses.loc[disputed, ["verdict", "reason"]] = [_UNDECIDED, DISPUTED]
    pairs = source.counterfactual
    if pairs is not None:
        rows = pairs.responses
        again = second_verdicts(rows, judges)
        left_out = rows["pair"][again.notna() & (again != rows["verdict"])]
        rows = rows[~rows["pair"].isin(left_out)]
        queries = source.base_queries
        pairs = CapturedActivations(rows, pairs.store, base_queries=queries) if len(rows) else None
    return CapturedActivations(responses, source.store, counterfactual=pairs)


def verdicts_on(
    source: CapturedActivations,
    names: Sequence[str],
    settings: AnalysisSettings,
    *,
    engine: Engine = IN_PROCESS,
    progress: Report | None = None,
) -> pd.DataFrame:
    """The verdicts of those analyses that need no model, one row each. Where too little is left they are
    inconclusive, and their numbers describe.

    Columns: analysis, verdict, effect, low, high, p, n (base queries), reason (why there is no verdict).
    """
    asked = [name for name in names if not get_analysis(name).uses_model]
    short = shortages(source.responses, asked, settings)
    steps = Steps(progress, len(asked))
    rows: list[tuple[object, ...]] = []
    for name in asked:
        found = get_analysis(name).run(source, settings, engine=engine).verdict
        why = str(short[name]) if name in short else ""
        outcome = "inconclusive" if why else found.verdict
        rows.append((name, outcome, found.effect, *found.interval, found.p, found.n, why))
        steps.done()
    return pd.DataFrame(rows, columns=["analysis", "verdict", "effect", "low", "high", "p", "n", "reason"])
