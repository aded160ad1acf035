"""Do probes read more than the words? The rung that a verdict on probes stands on.

Specialists against the classifier `text` of `text_baselines`, which sees the prompt and the response and no
activation, on the same rows and folds. Where the interval of the difference of their mean AUROC does not lie
above 0, what the probes read may be the words alone: the rung is *text*, and not *decodable*.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from if_circuits.analyses.base import AnalysisResult, AnalysisSettings, Rung
from if_circuits.analyses.shared.both_labels import NATURAL, of_labels
from if_circuits.analyses.shared.score_table import Score, score_table

TABLE = "beyond_words"
"""Name of the table among those of a result."""


def beyond_words(
    specialists: Sequence[Score], words: Sequence[Score], settings: AnalysisSettings
) -> pd.DataFrame:
    """One row: mean AUROC over tasks of specialists and of `text`, and their difference with its interval.

    Args:
        specialists: The score of each task's own probe.
        words: The scores of `text` on the same rows.
        settings: The resamples of base queries.

    Returns:
        auroc, auroc_text, difference, low, high, n_tasks and n_base_queries.
    """
    table = score_table([*specialists, *words], settings)
    first = [place < len(specialists) for place in range(len(table.frame))]
    probes, text = table.average(pd.Series(first)), table.average(~pd.Series(first))
    difference = table.interval(probes - text)
    return pd.DataFrame(
        [
            {
                "auroc": table.interval(probes).estimate,
                "auroc_text": table.interval(text).estimate,
                "difference": difference.estimate,
                "low": difference.low,
                "high": difference.high,
                "n_tasks": len(specialists),
                "n_base_queries": difference.n_groups,
            }
        ]
    )


def rung_of(result: AnalysisResult) -> Rung:
    """`decodable` where specialists beat the words on natural labels, by the interval; else `text`."""
    if TABLE not in result.tables:
        return "text"
    return "decodable" if beats_words(of_labels(result.tables[TABLE], NATURAL)) else "text"


def beats_words(table: pd.DataFrame) -> bool:
    """Whether the specialists of a table of `beyond_words` beat the words, by the interval."""
    return bool((table["low"] > 0).any())


def told(row: pd.Series) -> str:
    """The difference as a note of a verdict."""
    return (
        f"specialists {row['auroc']:.3f}, the words alone {row['auroc_text']:.3f}: difference "
        f"{row['difference']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
    )
