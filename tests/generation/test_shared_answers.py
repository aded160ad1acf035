"""Unconstrained requests are answered once, and every prompt gets the answers to its request."""

import pandas as pd

from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.generation.shared_answers import distinct_requests, shared_out
from if_circuits.models.loading import LoadedModel
from if_circuits.tasks.prompts import prompts

SETTINGS = GenerationConfig(max_new_tokens=6, samples_per_prompt=2, seed=1)


def twins(tasks: list[str]) -> pd.DataFrame:
    table = prompts(tasks, n=3, per_query=2, suite="open", counterparts=True)
    return table[~table["constrained"]].reset_index(drop=True)


def test_every_prompt_gets_all_answers_to_its_request(llama: LoadedModel) -> None:
    asked = twins(["topic", "word_count", "toxicity"])
    requests = distinct_requests(asked)
    assert len(requests) == 3 * 3  # its own, and the two that provoke or invite insults
    assert set(zip(requests["base_query"], requests["prompt"], strict=True)) == set(
        zip(asked["base_query"], asked["prompt"], strict=True)
    )
    rows = shared_out(asked, generate(llama, requests, SETTINGS))
    assert rows["response_id"].tolist() == [f"{name}/{i}" for name in asked["prompt_id"] for i in range(2)]
    assert rows.groupby(["base_query", "prompt", "sample"])["response"].nunique().eq(1).all()
    assert rows.groupby(["base_query", "prompt", "sample"])["answer"].nunique().eq(1).all()
    assert list(rows.columns[: len(asked.columns)]) == list(asked.columns)


def test_other_tasks_change_no_answer(llama: LoadedModel) -> None:
    few, many = twins(["topic"]), twins(["topic", "toxicity"])
    alone, beside = (
        shared_out(some, generate(llama, distinct_requests(some), SETTINGS)).set_index("response_id")
        for some in (few, many)
    )
    assert beside.loc[alone.index, "response"].tolist() == alone["response"].tolist()
