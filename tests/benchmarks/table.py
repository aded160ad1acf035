"""The rows of the benchmark table: ours, an alternative, the machine's limit, and the ratios to both."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tests.benchmarks.timing import Bound, Repeats, Seconds

HEADER = ("what", "ours", "alternative", "ratio", "to reach", "limit", "share of it", "to reach")


@dataclass(frozen=True)
class Spread:
    """Of some repeats the median, the least and the greatest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, repeats: Repeats) -> Spread:
        """The spread of measured values."""
        return cls(float(np.median(repeats)), float(np.min(repeats)), float(np.max(repeats)))

    def __str__(self) -> str:
        median, low, high = (f"{value:.3g}" for value in (self.median, self.low, self.high))
        return median if self.low == self.high else f"{median} ({low} to {high})"


@dataclass(frozen=True)
class Limit:
    """What the machine allows, measured in the same run."""

    name: str
    value: float
    """In the unit of the row."""
    share: Spread
    """How near ours comes: 1 is as fast as the limit."""
    reach: str = ""
    """What the share should be; empty where nothing was set."""

    @classmethod
    def of(cls, name: str, ours: Repeats, values: Repeats, *, unit: str = "s", reach: str = "") -> Limit:
        """The limit beside what ours took."""
        return cls(name, float(np.median(values)), Spread.of(_advantage(ours, values, unit)), reach)

    @classmethod
    def timed(cls, bound: Bound | None, seconds: Seconds, *, reach: str = "") -> Limit | None:
        """A bound that was timed beside ours."""
        if bound is None or seconds.bound is None:
            return None
        return cls.of(bound.described(seconds.bound), seconds.ours, seconds.bound, reach=reach)


@dataclass(frozen=True)
class Row:
    """One comparison with a named alternative on the same work."""

    what: str
    unit: str
    """Of ours, the alternative and the limit. More is better of what is per second, less of all else."""
    ours: float
    against: str
    theirs: float
    ratio: Spread
    """How many times as good ours is where it should reach "> x" or ">= x", how many times as much it takes
    where it should be "<= x"."""
    reach: str
    limit: Limit | None = None
    """None where the machine sets none that means anything."""

    @classmethod
    def of(
        cls,
        what: str,
        ours: Repeats,
        against: str,
        theirs: Repeats,
        *,
        reach: str,
        unit: str = "s",
        limit: Limit | None = None,
    ) -> Row:
        """The row of some repeats."""
        advantage = _advantage(ours, theirs, unit)
        ratio = Spread.of(1 / advantage if reach.startswith("<") else advantage)
        return cls(what, unit, float(np.median(ours)), against, float(np.median(theirs)), ratio, reach, limit)

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Row:
        """The row that `record` wrote."""
        fields: dict[str, Any] = {**record, "ratio": Spread(**record["ratio"])}
        if limit := record["limit"]:
            of_limit: dict[str, Any] = {**limit, "share": Spread(**limit["share"])}
            fields["limit"] = Limit(**of_limit)
        return cls(**fields)

    def record(self) -> dict[str, Any]:
        """The row as JSON has it."""
        return asdict(self)

    def cells(self) -> tuple[str, ...]:
        """What stands under `HEADER`."""
        limit = self.limit
        return (
            self.what,
            self._amount(self.ours),
            f"{self.against}: {self._amount(self.theirs)}",
            str(self.ratio),
            _goal(self.ratio, self.reach),
            f"{limit.name}: {self._amount(limit.value)}" if limit else "–",
            str(limit.share) if limit else "–",
            _goal(limit.share, limit.reach) if limit and limit.reach else "–",
        )

    def _amount(self, value: float) -> str:
        return f"{value:.3g} {self.unit}"


def timed_rows(
    what: str, seconds: Seconds, reach: Mapping[str, str], *, limit: Limit | None = None
) -> list[Row]:
    """A row for each of the others that were timed."""
    return [
        Row.of(what, seconds.ours, name, theirs, reach=reach[name], limit=limit)
        for name, theirs in seconds.others.items()
    ]


def reached(ratio: Spread, reach: str) -> bool:
    """Whether the median is where it should be."""
    sign, number = reach.split()
    compare = {"<=": operator.le, ">=": operator.ge, ">": operator.gt}[sign]
    return bool(compare(ratio.median, float(number)))


def _goal(ratio: Spread, reach: str) -> str:
    sign = reach.replace("<=", "≤").replace(">=", "≥")
    return f"{sign}: {'yes' if reached(ratio, reach) else 'no'}"


def _advantage(ours: Repeats, theirs: Repeats, unit: str) -> Repeats:
    return ours / theirs if unit.endswith("/s") else theirs / ours
