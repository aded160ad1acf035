"""Unconstrained answers belong to the request, not to the task: each request is answered once.

Every task that shares a request verifies the same answers, under parameters of its own.
"""

from __future__ import annotations

import pandas as pd

from if_circuits.io.digest import value_sha256

_ANSWER = ("sample", "temperature", "response", "prompt_tokens", "response_tokens", "n_tokens", "truncated")


def distinct_requests(twins: pd.DataFrame) -> pd.DataFrame:
    """The distinct requests among unconstrained prompts, as prompts of their own.

    A request's id follows from its base query and text alone, and so does what is sampled: more tasks, or
    fewer, change no answer. Columns: prompt_id, base_query, prompt.
    """
    asked = twins[["base_query", "prompt"]].drop_duplicates().reset_index(drop=True)
    ids = [
        f"{query}/{value_sha256(prompt)[:8]}"
        for query, prompt in zip(asked["base_query"], asked["prompt"], strict=True)
    ]
    return asked.assign(prompt_id=ids)[["prompt_id", "base_query", "prompt"]]


def shared_out(twins: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    """A row for every unconstrained prompt and answer to its request, as if it had been asked by itself.

    The column answer names the response that was generated.
    """
    kept = answers[["base_query", "prompt", *_ANSWER]].assign(answer=answers["response_id"])
    rows = twins.merge(kept, on=["base_query", "prompt"], how="left", validate="many_to_many")
    names = [f"{prompt}/{sample}" for prompt, sample in zip(rows["prompt_id"], rows["sample"], strict=True)]
    return rows.assign(response_id=names)
