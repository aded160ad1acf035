"""How often each verdict says supported in the draws of a null, where there is nothing to find."""

from __future__ import annotations

from typing import get_args

import pandas as pd
from scipy.stats import binomtest

from if_circuits.statistics.verdicts import Outcome


def null_rates(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Of each null and analysis: how often it is supported, the 95 % Wilson interval of that share, and the
    rest. What is described draws no verdict, and has no row.
    """
    verdicts = verdicts[verdicts["verdict"] != "described"]
    rows: list[dict[str, object]] = []
    for (null, name), table in verdicts.groupby(["null", "analysis"], sort=False):
        counts = table["verdict"].value_counts()
        times = {outcome: int(counts.get(outcome, 0)) for outcome in get_args(Outcome)}
        bounds = binomtest(times["supported"], len(table)).proportion_ci(method="wilson")
        rows.append(
            {
                "null": null,
                "analysis": name,
                "supported": times["supported"],
                "low": bounds.low,
                "high": bounds.high,
                "not_supported": times["not supported"],
                "inconclusive": times["inconclusive"],
                "draws": len(table),
            }
        )
    return pd.DataFrame(rows)
