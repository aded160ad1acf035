"""Compliance: does the model do any of what the tasks ask, more than unasked, and does it stop?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from if_circuits.doctor.base import Check
from if_circuits.doctor.probe_prompts import study_prompts
from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.models.loading import LoadedModel
from if_circuits.models.settings import RunSettings
from if_circuits.tasks.labels import Label
from if_circuits.tasks.registry import get_task
from if_circuits.tasks.verification import verify

PROMPTS_PER_TASK = 8


def check_compliance(model: LoadedModel) -> Iterator[Check]:
    """How responses end, how often constraints are satisfied, then a line for each task.

    Greedy responses to a few prompts: too few to measure by, so nothing here fails.
    """
    asked = study_prompts(model, n_base_queries=PROMPTS_PER_TASK, prompts_per_query=1)
    bare = [get_task(task).base_query(about) for task, about in zip(asked["task"], asked["base_query"])]
    unasked = asked.assign(prompt=bare)
    texts = sorted({*asked["prompt"], *bare})
    longest = max(map(len, model.chat.encode(texts)))
    usual = RunSettings.of(model.preset)
    room = max(1, min(usual.max_new_tokens, model.context_length - longest))
    config = GenerationConfig.of(replace(usual, max_new_tokens=room), temperature=0.0)
    responses = generate(model, pd.DataFrame({"prompt_id": texts, "prompt": texts}), config)
    response_to = responses.set_index("prompt")["response"]
    satisfied, by_chance = (
        verify(each.assign(response=response_to[each["prompt"]].to_numpy()), chosen=usual.judges)["verdict"]
        == Label.SATISFIED.value
        for each in (asked, unasked)
    )
    yield _endings(responses, config.max_new_tokens)
    yield _overall(int(satisfied.sum()), int(by_chance.sum()), len(asked))
    for task, rows in asked.groupby("task", sort=False):
        yield _of_task(
            str(task), int(satisfied[rows.index].sum()), int(by_chance[rows.index].sum()), len(rows)
        )


def _endings(responses: pd.DataFrame, max_new_tokens: int) -> Check:
    n, truncated = len(responses), int(responses["truncated"].sum())
    seen = f"{n - truncated} of {n} responses end within {max_new_tokens} tokens"
    if "n_thinking" in responses.columns:
        silent = int(((responses["n_tokens"] == 0) & (responses["n_thinking"] > 0)).sum())
        seen += f"; {silent} have no answer, since their thinking does not end"
    if truncated > n / 2:
        advice = (
            "few have an `eos` position, and verdicts are on cut texts; raise --max-new-tokens, or see eos"
        )
        return Check("responses_end", "warn", f"{seen}: {advice}")
    return Check("responses_end", "pass", seen)


def _overall(satisfied: int, by_chance: int, n: int) -> Check:
    seen = f"{satisfied} of {n} greedy responses satisfy what was asked, {by_chance} when it was not asked"
    # Two standard errors of a difference of two shares, at their widest.
    if satisfied - by_chance < (2 * n) ** 0.5:
        advice = "it hardly follows these instructions, so a study of it means little; choose a tuned model"
        return Check("compliance", "warn", f"{seen}: {advice}")
    return Check("compliance", "pass", seen)


def _of_task(task: str, satisfied: int, by_chance: int, n: int) -> Check:
    seen = f"{satisfied} of {n}, unasked {by_chance}"
    if satisfied == 0:
        advice = "at the floor, with nothing to probe or to ablate; leave it out with --tasks"
        return Check(f"compliance.{task}", "warn", f"{seen}: {advice}")
    return Check(f"compliance.{task}", "pass", seen)
