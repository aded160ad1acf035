"""The rule that turns an interval (and a p-value, where one is part of the claim) into a verdict.

- supported: the interval lies wholly on the claimed side of the threshold and, where a p-value is part of
  the claim, p (after the correction of its family) is at most alpha;
- not supported: the interval lies wholly on the other side;
- inconclusive: everything else, and always when the interval or a p-value that is needed is undefined, or
  when fewer than `MIN_GROUPS` groups stand behind the interval. A note says which;
- described: there are numbers, and no verdict is drawn from them (`describe`).
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

from if_circuits.statistics.bootstrap import Interval

Outcome = Literal["supported", "not supported", "inconclusive", "described"]

MIN_GROUPS = 10
"""Fewer resampled groups than this make a percentile interval too narrow to rest a verdict on."""


@dataclass(frozen=True)
class Decision:
    """A verdict with the rule that gave it, in words."""

    verdict: Outcome
    rule: str
    notes: tuple[str, ...] = ()
    """Of one that is inconclusive or described, the reason first."""


def decide(
    interval: Interval,
    *,
    supported_when: Literal["above", "below"],
    threshold: float,
    p: float | None = None,
    alpha: float = 0.05,
) -> Decision:
    """Apply the rule of this module: is the effect `supported_when` ("above" or "below") the threshold?

    `p` is the corrected p-value when one is part of the claim, else None.
    """
    rule = f"supported when the {interval.confidence:.0%} interval lies wholly {supported_when} {threshold:g}"
    rule += "" if p is None else f" and p <= {alpha:g}"
    other = "below" if supported_when == "above" else "above"
    rule += f"; not supported when it lies wholly {other} {threshold:g}; otherwise inconclusive"

    notes: list[str] = []
    if interval.n_degenerate:
        notes.append(
            f"the statistic was undefined on {interval.n_degenerate} of {interval.n_resamples} resamples"
        )
    if math.isnan(interval.low) or math.isnan(interval.high):
        why = interval.reason or "no interval could be computed"
        return Decision("inconclusive", rule, (why, *notes))
    if interval.n_groups < MIN_GROUPS:
        few = f"{interval.n_groups} groups are too few for a verdict (at least {MIN_GROUPS})"
        return Decision("inconclusive", rule, (few, *notes))

    is_above, is_below = interval.low > threshold, interval.high < threshold
    claimed, opposite = (is_above, is_below) if supported_when == "above" else (is_below, is_above)
    if opposite:
        return Decision("not supported", rule, tuple(notes))
    if not claimed:
        return Decision("inconclusive", rule, (f"the interval contains the threshold {threshold:g}", *notes))
    if p is not None and math.isnan(p):
        return Decision("inconclusive", rule, ("no p-value could be computed", *notes))
    if p is not None and p > alpha:
        return Decision("inconclusive", rule, (f"p = {p:.3g} exceeds {alpha:g}", *notes))
    return Decision("supported", rule, tuple(notes))


def describe(decision: Decision, interval: Interval, *, why: str) -> Decision:
    """The numbers without a verdict, and `why` they allow none in general; inconclusive without numbers.

    For a comparison that was seen to come out alike on models in which the claim is true and in which it is
    false: its size is worth knowing, and says nothing about the claim.
    """
    if math.isnan(interval.low) or math.isnan(interval.high) or interval.n_groups < MIN_GROUPS:
        return decision
    return replace(decision, verdict="described", notes=(f"no verdict is drawn: {why}",))
