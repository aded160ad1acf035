"""Words and verdicts of a simulated study, and its counterfactual pairs; `studies` adds activations."""

import json

import numpy as np
import pandas as pd
from jaxtyping import Int

from if_circuits.tasks.labels import Label, is_satisfied

TASKS_OF_FAMILY: dict[str, tuple[str, ...]] = {
    "structural": ("word_count", "character_count", "json_format"),
    "lexical": ("term_inclusion", "term_exclusion"),
    "semantic": ("topic", "sentiment", "toxicity"),
    "stylistic": ("register",),
}
TASKS = tuple(task for tasks in TASKS_OF_FAMILY.values() for task in tasks)
FAMILY_OF = {task: family for family, tasks in TASKS_OF_FAMILY.items() for task in tasks}

WITHOUT_PAIRS = "toxicity"
"""The task whose constraint has no parameters, and so no counterfactual."""
_MEAN_LOGIT, _GROUP_LOGIT_SD = 0.4, 0.7
_CUE_RATE = {True: 0.9, False: 0.15}
_VOCABULARY = 120
_FIRST_CUE = 1000
_EOS = 2
_FIRST_PARAMETER, _PARAMETERS = 2000, 8


def draw_responses(
    n_base_queries: int, samples: int, *, surface: bool, rng: np.random.Generator
) -> pd.DataFrame:
    """The table of responses, their words and verdicts; only under `surface` do words tell the verdict."""
    shape = (2, len(TASKS), n_base_queries, samples)
    twin, task, query, sample = (axis.ravel() for axis in np.indices(shape))
    constrained = twin == 0
    propensity = _MEAN_LOGIT + _GROUP_LOGIT_SD * rng.normal(size=shape[:3])
    propensity[1] -= 1.0
    satisfied = rng.random(len(task)) < 1 / (1 + np.exp(-propensity[twin, task, query]))

    longest = 24
    n_tokens = rng.integers(6, longest + 1, size=len(task))
    response_tokens = rng.integers(10, 10 + _VOCABULARY, size=(len(task), longest))
    if surface:
        n_tokens = np.where(satisfied, np.minimum(n_tokens, 6 + n_tokens // 2), n_tokens)
        has_cue = rng.random(len(task)) < np.where(satisfied, _CUE_RATE[True], _CUE_RATE[False])
        cue_at = (rng.random(len(task)) * n_tokens).astype(np.int64)
        response_tokens[has_cue, cue_at[has_cue]] = _FIRST_CUE + task[has_cue]
    truncated = rng.random(len(task)) < 0.05
    query_tokens = rng.integers(10, 10 + _VOCABULARY, size=(n_base_queries, 6))

    responses = [row[:n].tolist() for row, n in zip(response_tokens, n_tokens, strict=True)]
    prompts = [
        query_tokens[q].tolist() + ([_FIRST_CUE + 100 + t] if c else [])
        for q, t, c in zip(query, task, constrained, strict=True)
    ]
    names = [
        f"{TASKS[t]}-{q:04d}-{'constrained' if c else 'twin'}"
        for t, q, c in zip(task, query, constrained, strict=True)
    ]
    return pd.DataFrame(
        {
            "prompt_id": names,
            "task": [TASKS[t] for t in task],
            "family": [FAMILY_OF[TASKS[t]] for t in task],
            "base_query": [f"q{q:04d}" for q in query],
            "paraphrase": 0,
            "parameters": json.dumps({}),
            "constrained": constrained,
            "prompt": [_words(tokens) for tokens in prompts],
            "response_id": [f"{name}-{s}" for name, s in zip(names, sample, strict=True)],
            "sample": sample,
            "temperature": 1.0,
            "response": [_words(tokens) for tokens in responses],
            "prompt_tokens": prompts,
            "response_tokens": [
                tokens if cut else [*tokens, _EOS] for tokens, cut in zip(responses, truncated, strict=True)
            ],
            "n_tokens": n_tokens,
            "truncated": truncated,
            "verdict": np.where(satisfied, Label.SATISFIED.value, Label.VIOLATED.value),
        }
    )


def _words(tokens: list[int]) -> str:
    return " ".join(f"w{token}" for token in tokens)


def cue_positions(responses: pd.DataFrame) -> Int[np.ndarray, " n"]:
    """Index of the first cue in each response; past the end of any response where there is none."""
    return np.array(
        [
            next((i for i, token in enumerate(tokens) if token >= _FIRST_CUE), 10**6)
            for tokens in responses["response_tokens"]
        ],
        dtype=np.int64,
    )


def planted_pairs(responses: pd.DataFrame, *, seed: int) -> tuple[Int[np.ndarray, " rows"], pd.DataFrame]:
    """For each row of the pairs, the number of the response that it repeats; and the rows themselves.

    The two prompts of a pair differ in one token, their parameter, which tells nothing of the verdict.
    """
    compliant = np.flatnonzero(
        responses["constrained"] & is_satisfied(responses) & (responses["task"] != WITHOUT_PAIRS)
    )
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3,)))
    first = rng.integers(_PARAMETERS, size=len(compliant))
    other = (first + rng.integers(1, _PARAMETERS, size=len(compliant))) % _PARAMETERS
    rows, parameters = np.tile(compliant, 2), np.concatenate([first, other]).tolist()
    verdict = np.repeat([Label.SATISFIED.value, Label.VIOLATED.value], len(compliant))
    repeated = responses.iloc[rows].reset_index(drop=True)
    prompts = zip(repeated["prompt"], repeated["prompt_tokens"], parameters, strict=True)
    told = [
        (f"{text} w{_FIRST_PARAMETER + n}", [*tokens, _FIRST_PARAMETER + n]) for text, tokens, n in prompts
    ]
    pairs = repeated.assign(
        pair=repeated["response_id"],
        response_id=repeated["response_id"] + "/" + verdict,
        parameters=[json.dumps({"n": n}) for n in parameters],
        prompt=[text for text, _ in told],
        prompt_tokens=pd.Series([tokens for _, tokens in told], dtype=object),
        verdict=verdict,
        labels="counterfactual",
    )
    return rows, pairs.drop(columns=["prompt_id", "reason"])
