"""The pilot: the grades at which a model both follows and fails, found before the study.

On base queries that the study does not use, every grade is asked a few times, and its unconstrained request
is answered as well. The rule, which was fixed before any model was asked:

1. A share is estimated by the mean of its posterior under a uniform prior, (satisfied + 1) / (n + 2), so that
   a few answers cannot say 0 or 1.
2. A grade is *at the floor* when that mean is below `LOW` with the constraint, and *at the ceiling* when it
   is above `HIGH`: probes need both labels.
3. It is *not moved by asking* unless the odds that compliance with the constraint is above compliance
   without it are at least 4 to 1. Even odds would let every second grade pass that nothing moves.
4. Of the grades that are left at most `MOST` are kept, from the lowest compliance to the highest, evenly.

A task that has no grade left is named by its best one, which the study asks for the sake of description: the
task is in its tables, and in none of its verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import beta

from if_circuits.tasks.labels import is_satisfied

LOW, HIGH = 0.2, 0.8
SURE = 0.8
"""Probability that asking helps, of a grade that is kept: odds of 4 to 1."""
MOST = 3
"""Grades of a task that a study is spread over."""

FOLLOWS = "follows and fails"
FLOOR, CEILING, NOT_MOVED = "at the floor", "at the ceiling", "not moved by asking"


def pilot_table(responses: pd.DataFrame) -> pd.DataFrame:
    """One row a grade of verified responses, with the columns task, family, grade, n, constrained,
    n_unconstrained and unconstrained (shares that satisfy), moved (the probability that asking helps), why
    and kept.
    """
    marked = responses.assign(satisfied=is_satisfied(responses))
    rows: list[dict[str, object]] = []
    for (task, family, grade), group in marked.groupby(["task", "family", "grade"], sort=False):
        asked = group["satisfied"][group["constrained"]].to_numpy(dtype=bool)
        twins = group["satisfied"][~group["constrained"]].to_numpy(dtype=bool)
        moved = probability_higher((int(asked.sum()), len(asked)), (int(twins.sum()), len(twins)))
        rows.append(
            {
                "task": task,
                "family": family,
                "grade": grade,
                "n": len(asked),
                "constrained": float(asked.mean()),
                "n_unconstrained": len(twins),
                "unconstrained": float(twins.mean()) if len(twins) else float("nan"),
                "moved": moved,
                "why": _why(int(asked.sum()), len(asked), moved),
            }
        )
    table = pd.DataFrame(rows)
    kept = [place for _, of_task in table.groupby("task", sort=False) for place in _kept(of_task)]
    return table.assign(kept=table.index.isin(kept))


def probability_higher(asked: tuple[int, int], unasked: tuple[int, int]) -> float:
    """The probability that one share is above another, from (satisfied, n) of both, under uniform priors."""
    grid = np.linspace(0.0, 1.0, 2001)
    density = beta.pdf(grid, asked[0] + 1, asked[1] - asked[0] + 1)
    below = beta.cdf(grid, unasked[0] + 1, unasked[1] - unasked[0] + 1)
    return float(np.clip(np.trapezoid(density * below, grid), 0.0, 1.0))


def kept_grades(table: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """The grades of each task that a study asks."""
    rows = table[table["kept"]]
    return {str(task): tuple(map(str, part["grade"])) for task, part in rows.groupby("task", sort=False)}


def without_verdict(table: pd.DataFrame) -> dict[str, str]:
    """Tasks of which no grade was both followed and failed, and what was found of the best one."""
    rows = table[table["kept"] & (table["why"] != FOLLOWS)]
    return dict(zip(map(str, rows["task"]), map(str, rows["why"]), strict=True))


def described(tasks: Mapping[str, str]) -> list[str]:
    """What the pilot found of tasks without a verdict, in words."""
    return [
        f"{task} is {why} in the pilot: described, and left out of the verdict" for task, why in tasks.items()
    ]


def _posterior(satisfied: int, n: int) -> float:
    return (satisfied + 1) / (n + 2)


def _why(satisfied: int, n: int, moved: float) -> str:
    share = _posterior(satisfied, n)
    if share < LOW:
        return FLOOR
    if share > HIGH:
        return CEILING
    return FOLLOWS if moved >= SURE else NOT_MOVED


def _kept(grades: pd.DataFrame) -> list[int]:
    """Rows of the grades that a study asks; the one nearest to being measurable where none is."""
    ordered = grades.sort_values(["constrained", "moved"], kind="stable")
    fit = ordered.index[ordered["why"] == FOLLOWS].tolist()
    if fit:
        places = np.unique(np.round(np.linspace(0, len(fit) - 1, min(MOST, len(fit)))).astype(int))
        return [fit[place] for place in places]
    # Both labels first, then what moves most.
    between = ordered[ordered["why"] == NOT_MOVED]
    best = between if len(between) else ordered
    distance = (best["constrained"] - 0.5).abs().round(6)
    return [
        best.assign(distance=distance).sort_values(["distance", "moved"], ascending=[True, False]).index[0]
    ]
