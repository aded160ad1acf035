"""Do tasks of later families lie at later layers? The rule that both analyses of layers share.

Effect: Kendall's tau-b between depth and the order structural, lexical, stylistic, semantic, over the tasks
that have a depth. Supported when its interval over base queries lies above 0 and p <= alpha, where p
(one-sided) permutes the depths among the tasks: tasks are few, and nine depths that differ for reasons other
than family must not count as a trend. Not supported when the interval lies below 0; else inconclusive, also
when fewer than `MIN_TASKS_FOR_A_TREND` tasks or `MIN_FAMILIES_FOR_A_TREND` families have a depth. When all
lie at one layer there is no trend: tau counts as 0, not supported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from if_circuits.analyses.base import AnalysisSettings, Verdict, make_verdict
from if_circuits.statistics.bootstrap import Interval
from if_circuits.statistics.trend import kendall_tau, trend_test
from if_circuits.statistics.verdicts import decide

ORDER = ("structural", "lexical", "stylistic", "semantic")
"""Families from the shallowest to the deepest that the claim expects."""
MIN_TASKS_FOR_A_TREND = 5
MIN_FAMILIES_FOR_A_TREND = 3
"""With fewer, chance alone gives the steepest trend in more than 1 of 20 orders (1 of 12 for four tasks of
three families, 1 of 10 for five tasks of two)."""


def judge_trend(
    claim: str,
    families: Sequence[str],
    found: Float[np.ndarray, " tasks"],
    resampled: Float[np.ndarray, "draws tasks"],
    interval_from: Callable[[float, Float[np.ndarray, " draws"]], Interval],
    settings: AnalysisSettings,
    *,
    verb: str,
) -> Verdict:
    """The verdict by the rule of this module on depths that are NaN where a task has none.

    `verb` says in the plural what a task with a depth does, such as "emerge".
    """
    ranks = np.array([ORDER.index(family) if family in ORDER else np.nan for family in families])
    there = ~np.isnan(found) & ~np.isnan(ranks)
    ranks, depths, draws = ranks[there], found[there], resampled[:, there]
    # Without spread in depth there is no trend, which is tau = 0.
    tau = float(np.nan_to_num(kendall_tau(depths[None], ranks)[0])) if len(depths) > 1 else float("nan")
    interval = interval_from(tau, np.nan_to_num(kendall_tau(draws, ranks)))
    test = trend_test(depths, ranks, n_permutations=settings.n_permutations, seed=settings.seed)
    p = 1.0 if np.isnan(test.p) else test.p

    decision = decide(interval, supported_when="above", threshold=0.0, p=p, alpha=settings.alpha)
    rule = (
        f"{decision.rule}; not supported also when all {verb} at one layer; inconclusive when fewer than "
        f"{MIN_TASKS_FOR_A_TREND} tasks or {MIN_FAMILIES_FOR_A_TREND} families {verb}"
    )
    decision = replace(decision, rule=rule)
    ordered = [family for family in families if family in ORDER]
    notes = [f"{len(depths)} of {len(ordered)} tasks {verb}; p permutes depths among them (one-sided)"]
    if others := list(dict.fromkeys(family for family in families if family not in ORDER)):
        notes.append(
            f"shown and not part of the trend, since the claim gives their family no place in the order: "
            f"{len(families) - len(ordered)} tasks of {', '.join(others)}"
        )
    shown = {family for family, kept in zip(families, there, strict=True) if kept}
    if len(depths) < MIN_TASKS_FOR_A_TREND or len(shown) < MIN_FAMILIES_FOR_A_TREND:
        decision = replace(decision, verdict="inconclusive")
        notes.insert(0, f"only {len(depths)} tasks of {len(shown)} families {verb}")
    elif np.ptp(depths) == 0 and interval.high <= 0:
        decision = replace(decision, verdict="not supported", notes=(f"all tasks {verb} at one layer",))
    return make_verdict(claim, decision, interval, p=p, notes=tuple(notes))
