"""Which responses were sampled and which were decoded greedily: the one place that tells."""

import pandas as pd

GREEDY = 0.0
"""The temperature of greedy decoding."""


def sampled(responses: pd.DataFrame) -> pd.DataFrame:
    """The sampled responses, numbered anew: greedy ones would repeat some of them."""
    return responses[responses["temperature"] != GREEDY].reset_index(drop=True)


def greedy(responses: pd.DataFrame) -> pd.DataFrame:
    """The responses that were decoded greedily, numbered anew."""
    return responses[responses["temperature"] == GREEDY].reset_index(drop=True)
