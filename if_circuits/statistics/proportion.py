"""Confidence intervals of a share, such as that of runs or models for which something holds."""

from __future__ import annotations

from typing import cast

from statsmodels.stats.proportion import proportion_confint


def wilson(count: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of count / n (Wilson 1927).

    Raises ValueError unless 0 <= count <= n and n > 0.
    """
    if not 0 <= count <= n or n == 0:
        raise ValueError(f"a share needs 0 <= count <= n and n > 0, got {count} of {n}")
    low, high = cast(tuple[float, float], proportion_confint(count, n, alpha=1 - confidence, method="wilson"))
    # Rounding leaves bounds of 0 and 1 a hair inside of the rates of 0 and 1 that they belong to.
    return (0.0 if count == 0 else float(low)), (1.0 if count == n else float(high))
