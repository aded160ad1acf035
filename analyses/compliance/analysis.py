"""Compliance: how often each task's constraint is satisfied when it is asked for, and when it is not."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from if_circuits.analyses.shared.families import families_of
from if_circuits.generation.sampling import greedy, sampled
from if_circuits.statistics.bootstrap import Interval, cluster_bootstrap, weighted_mean
from if_circuits.tasks.labels import is_satisfied, is_undecided, is_violated

FEW_OF_A_VERDICT = 20
"""A task with fewer satisfied or fewer violated responses than this is marked: its probes rest on little."""


def compliance_table(
    responses: pd.DataFrame,
    *,
    n_bootstrap: int = 1000,
    seed: int = 0,
    pilot: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Compliance of each task, one row a task in the order of the figures.

    Compliance is satisfied over all responses: an undecided one counts as not satisfied. `constrained` and
    `unconstrained` are those of sampled responses to constrained prompts and to their unconstrained twins,
    under the same verifier; `greedy` is NaN when nothing was decoded greedily. `low` and `high` bound
    constrained minus unconstrained at 95 %, by bootstrap over base queries, and `<column>_low` and
    `<column>_high` each share. `pilot` says of tasks that take part in no verdict what a pilot found of them;
    the note repeats it.
    """
    rows = [
        _compliance_of(task, family, responses[responses["task"] == task], n_bootstrap=n_bootstrap, seed=seed)
        for task, family in families_of(responses).items()
    ]
    table = pd.DataFrame(rows)
    found = {task: f"{why} in the pilot: in no verdict" for task, why in (pilot or {}).items()}
    notes = zip(table["task"], table["note"], strict=True)
    return table.assign(note=["; ".join(filter(None, (note, found.get(task, "")))) for task, note in notes])


def _compliance_of(
    task: str, family: str, rows: pd.DataFrame, *, n_bootstrap: int, seed: int
) -> dict[str, object]:
    drawn, decoded = sampled(rows), greedy(rows)
    constrained, twins = drawn[drawn["constrained"]], drawn[~drawn["constrained"]]
    decoded = decoded[decoded["constrained"]]

    satisfied = is_satisfied(drawn).astype(np.float64)
    asked = drawn["constrained"].to_numpy(dtype=np.float64)
    difference = cluster_bootstrap(
        drawn["base_query"].to_numpy(),
        lambda weights: (
            weighted_mean(satisfied, weights * asked) - weighted_mean(satisfied, weights * (1 - asked))
        ),
        n_resamples=n_bootstrap,
        seed=seed,
    )
    n_satisfied, n_violated = int(is_satisfied(constrained).sum()), int(is_violated(constrained).sum())
    return {
        "task": task,
        "family": family,
        "constrained": _share_satisfied(constrained),
        "unconstrained": _share_satisfied(twins),
        "difference": difference.estimate,
        "low": difference.low,
        "high": difference.high,
        "greedy": _share_satisfied(decoded),
        "n": len(constrained),
        "satisfied": n_satisfied,
        "violated": n_violated,
        "undecided": int(is_undecided(constrained).sum()),
        "n_unconstrained": len(twins),
        "undecided_unconstrained": int(is_undecided(twins).sum()),
        "truncated": int(constrained["truncated"].sum()),
        "note": _note(n_satisfied, n_violated),
        **_bounds("constrained", constrained, n_bootstrap=n_bootstrap, seed=seed),
        **_bounds("unconstrained", twins, n_bootstrap=n_bootstrap, seed=seed),
        **_bounds("greedy", decoded, n_bootstrap=n_bootstrap, seed=seed),
    }


def _bounds(name: str, rows: pd.DataFrame, *, n_bootstrap: int, seed: int) -> dict[str, object]:
    """Interval of the share of satisfied responses over base queries; NaN without responses."""
    found = Interval(float("nan"), float("nan"), float("nan"), 0)
    if len(rows):
        satisfied = is_satisfied(rows).astype(np.float64)
        found = cluster_bootstrap(
            rows["base_query"].to_numpy(),
            lambda weights: weighted_mean(satisfied, weights),
            n_resamples=n_bootstrap,
            seed=seed,
        )
    return {f"{name}_low": found.low, f"{name}_high": found.high}


def _share_satisfied(rows: pd.DataFrame) -> float:
    return float(is_satisfied(rows).mean()) if len(rows) else float("nan")


def _note(n_satisfied: int, n_violated: int) -> str:
    if n_satisfied < FEW_OF_A_VERDICT:
        return f"floor: {n_satisfied} satisfied"
    return f"ceiling: {n_violated} violated" if n_violated < FEW_OF_A_VERDICT else ""
