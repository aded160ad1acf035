"""A small study on a real model whose labels are known: responses of random tokens to prompts that differ in
one word.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from if_circuits.activations.capture import capture
from if_circuits.activations.captured import CapturedActivations
from if_circuits.models.loading import LoadedModel

N_QUERIES, PER_QUERY = 40, 4


def word_study(model: LoadedModel, directory: Path) -> CapturedActivations:
    """A response is satisfied where its prompt says "river", so that only the prompt carries the label."""
    rng = np.random.default_rng(0)
    said = rng.random(N_QUERIES * PER_QUERY) < 0.5
    prompts = model.chat.encode(["the river" if yes else "the coach" for yes in said])
    eos = model.chat.eos_ids[0]
    responses = [[*map(int, rng.integers(20, 26, size=2)), eos] for _ in said]
    n = len(said)
    table = pd.DataFrame(
        {
            "response_id": [f"{i}/0" for i in range(n)],
            "prompt_id": [str(i) for i in range(n)],
            "task": "topic",
            "family": "semantic",
            "base_query": [f"q{i // PER_QUERY:02d}" for i in range(n)],
            "constrained": True,
            "verdict": np.where(said, "satisfied", "violated"),
            "prompt_tokens": pd.Series(prompts, dtype=object),
            "response_tokens": pd.Series(responses, dtype=object),
            "n_tokens": 2,
            "truncated": False,
        }
    )
    return capture(model, table, path=directory)
