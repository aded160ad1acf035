"""Made-up responses of many lengths, for tests of capture and store."""

from typing import Any

import numpy as np
import pandas as pd

from if_circuits.activations.capture import capture
from if_circuits.activations.store import ActivationStore
from if_circuits.models.loading import LoadedModel


def make_sequences(n: int = 11, *, seed: int = 0) -> pd.DataFrame:
    """Random prompts and responses: some truncated, one empty, one of a single token."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    for number in range(n):
        n_tokens = number if number < 2 else int(rng.integers(2, 40))
        truncated = number % 4 == 3
        response = rng.integers(10, 300, size=n_tokens).tolist() + ([] if truncated else [1])
        rows.append(
            {
                "response_id": f"r{number}",
                "prompt_tokens": rng.integers(10, 300, size=int(rng.integers(3, 25))).tolist(),
                "response_tokens": response,
                "n_tokens": n_tokens,
                "truncated": truncated,
            }
        )
    return pd.DataFrame(rows)


def stored(model: LoadedModel, sequences: pd.DataFrame, **options: Any) -> ActivationStore:
    """Capture to disk; gives the store."""
    store = capture(model, sequences, **options).store
    assert isinstance(store, ActivationStore)
    return store
