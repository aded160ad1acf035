"""Verdicts again, on the responses on which two different judges agree.

A judge's mistakes can follow what the model represents, and then a probe reads the judge. A second judge that
is made in another way, word lists beside an encoder, errs elsewhere. Where the two disagree, a response is
undecided here and takes part in nothing; a pair of which either row is in dispute is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool

from if_circuits.activations.captured import CapturedActivations
from if_circuits.analyses.base import get_analysis
from if_circuits.errors import InputError
from if_circuits.progress import Report, Steps
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.out_of_date import say_if_out_of_date
from if_circuits.study.pipeline import open_activations
from if_circuits.tasks.judges.choice import second_judges
from if_circuits.tasks.labels import Label, is_undecided
from if_circuits.tasks.registry import get_task
from if_circuits.tasks.verification import verify

DISPUTED = "two judges disagree"


def agreed_share(first: pd.DataFrame, second: Bool[np.ndarray, " n"]) -> Mapping[str, float]:
    """Of each judged task, the share of decided responses on whose label the judges agree."""
    decided = ~is_undecided(first)
    judged = sorted({str(name) for name in first["task"] if get_task(str(name)).judge is not None})
    shares: dict[str, float] = {}
    for task in judged:
        rows = decided & (first["task"] == task).to_numpy()
        shares[task] = float(second[rows].mean()) if rows.any() else float("nan")
    return shares


def agrees(rows: pd.DataFrame, judges: Mapping[str, str]) -> Bool[np.ndarray, " n"]:
    """Whether another judge than those in `judges`, by property, gives each row its verdict.

    True for tasks that are verified exactly, and for those with no second judge.
    """
    second = second_judges(judges)
    checked = np.array([get_task(str(name)).judge in second for name in rows["task"]], dtype=bool)
    same = np.ones(len(rows), dtype=bool)
    if checked.any():
        again = verify(rows[checked].reset_index(drop=True), chosen=second.items())
        same[checked] = again["verdict"].to_numpy() == rows["verdict"].to_numpy()[checked]
    return same


def verdicts_on_agreed(
    directory: StudyDirectory, names: Sequence[str], *, progress: Report | None = None
) -> tuple[pd.DataFrame, Mapping[str, float]]:
    """The verdicts of the analyses as they are and on agreed labels, one row an analysis; and `agreed_share`.

    Analyses that use the model generate anew and are left out. Raises InputError where no judged task of the
    study has a second judge.
    """
    judges = dict(directory.ledger.read()["judges"])
    if not second_judges(judges):
        raise InputError(
            f"{directory.root} has no judged task with a second judge; install those of the extra `judges`, "
            "or study topic, sentiment, toxicity or register"
        )
    say_if_out_of_date(directory)
    source = open_activations(directory)
    same = agrees(source.responses, judges)
    agreed = _agreed(source, same, judges)
    asked = [name for name in names if not get_analysis(name).uses_model]
    rows: list[dict[str, object]] = []
    steps = Steps(progress, len(asked))
    for name in asked:
        before = directory.read_result(name).verdict
        after = get_analysis(name).run(agreed, directory.config.settings).verdict
        rows.append(
            {
                "analysis": name,
                "verdict": before.verdict,
                "effect": before.effect,
                "n": before.n,
                "verdict_agreed": after.verdict,
                "effect_agreed": after.effect,
                "low_agreed": after.interval[0],
                "high_agreed": after.interval[1],
                "n_agreed": after.n,
            }
        )
        steps.done()
    return pd.DataFrame(rows), agreed_share(source.responses, same)


def _agreed(
    source: CapturedActivations, same: Bool[np.ndarray, " n"], judges: Mapping[str, str]
) -> CapturedActivations:
    responses = source.responses.copy()
    responses.loc[~same, ["verdict", "reason"]] = [Label.UNDECIDED.value, DISPUTED]
    pairs = source.counterfactual
    if pairs is not None:
        disputed = pairs.responses["pair"][~agrees(pairs.responses, judges)]
        kept = pairs.responses[~pairs.responses["pair"].isin(disputed)]
        pairs = CapturedActivations(kept, pairs.store, base_queries=source.base_queries)
    return CapturedActivations(responses, source.store, counterfactual=pairs)
