"""The written rule, case by case."""

import pytest

from if_circuits.statistics.bootstrap import Interval
from if_circuits.statistics.verdicts import decide, describe

NAN = float("nan")


def interval(low: float, high: float, n_groups: int = 50) -> Interval:
    return Interval((low + high) / 2, low, high, n_groups)


@pytest.mark.parametrize(
    ("low", "high", "side", "p", "expected"),
    [
        (0.1, 0.2, "above", None, "supported"),
        (0.1, 0.2, "above", 0.01, "supported"),
        (0.1, 0.2, "above", 0.05, "supported"),
        (0.1, 0.2, "above", 0.06, "inconclusive"),
        (0.1, 0.2, "above", NAN, "inconclusive"),
        (-0.1, 0.2, "above", 0.01, "inconclusive"),
        (0.0, 0.2, "above", 0.01, "inconclusive"),
        (-0.2, -0.1, "above", 0.01, "not supported"),
        (-0.2, -0.1, "above", None, "not supported"),
        (-0.2, -0.1, "below", None, "supported"),
        (0.1, 0.2, "below", None, "not supported"),
        (-0.2, 0.0, "below", None, "inconclusive"),
        (NAN, NAN, "above", 0.01, "inconclusive"),
    ],
)
def test_rule(low, high, side, p, expected) -> None:
    decision = decide(interval(low, high), supported_when=side, threshold=0.0, p=p)
    assert decision.verdict == expected
    assert bool(decision.notes) == (expected == "inconclusive")


def test_few_groups_are_inconclusive_and_say_so() -> None:
    decision = decide(interval(0.1, 0.2, n_groups=9), supported_when="above", threshold=0.0)
    assert decision.verdict == "inconclusive" and "9 groups are too few" in decision.notes[0]


def test_degenerate_resamples_are_noted_beside_any_verdict() -> None:
    some = Interval(0.5, 0.4, 0.6, 50, n_resamples=1000, n_degenerate=7)
    decision = decide(some, supported_when="above", threshold=0.0)
    assert decision.verdict == "supported"
    assert decision.notes == ("the statistic was undefined on 7 of 1000 resamples",)


def test_the_rule_is_written_out() -> None:
    decision = decide(interval(0.1, 0.2), supported_when="below", threshold=0.5, p=0.01, alpha=0.05)
    assert decision.rule == (
        "supported when the 95% interval lies wholly below 0.5 and p <= 0.05; "
        "not supported when it lies wholly above 0.5; otherwise inconclusive"
    )


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.2), (-0.2, -0.1), (-0.1, 0.1)])
def test_numbers_that_allow_no_verdict_are_described_and_say_why(low: float, high: float) -> None:
    found = interval(low, high)
    decision = describe(decide(found, supported_when="above", threshold=0.0), found, why="it is always so")
    assert decision.verdict == "described"
    assert decision.notes == ("no verdict is drawn: it is always so",)


@pytest.mark.parametrize("found", [interval(NAN, NAN), interval(0.1, 0.2, n_groups=9)])
def test_without_numbers_there_is_nothing_to_describe(found: Interval) -> None:
    decided = decide(found, supported_when="above", threshold=0.0)
    assert describe(decided, found, why="it is always so") == decided
