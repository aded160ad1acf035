"""Compliance: does the model do any of what the tasks ask, more than unasked, and does it stop?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from if_circuits.doctor.base import Check
from if_circuits.doctor.probe_prompts import STUDY, suite_of_model
from if_circuits.generation.responses import GenerationConfig
from if_circuits.models.loading import LoadedModel
from if_circuits.models.settings import RunSettings
from if_circuits.study.pilot import pilot_table
from if_circuits.study.pilot_answers import answer_asked, answer_pilot, pilot_prompts
from if_circuits.tasks.judges.choice import usual_judges
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.verification import judged_properties, verify

ANSWERS_PER_TASK = 8
"""Constrained answers of a task at least; of a task with more grades one to each of them."""


def check_compliance(model: LoadedModel) -> Iterator[Check]:
    """How responses end, how often constraints are satisfied, then a line for each task.

    A pilot as a study's, and smaller: too few responses to measure by, so nothing here fails.
    """
    usual = RunSettings.of(model.preset)
    table, written = _ask(model, usual)
    yield _endings(written, usual.max_new_tokens)
    satisfied = (table["constrained"] * table["n"]).sum()
    yield _overall(round(float(satisfied)), float(table["unconstrained"].mean()), int(table["n"].sum()))
    for task, grades in table.groupby("task", sort=False):
        yield _of_task(str(task), grades)


def _ask(model: LoadedModel, usual: RunSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table of a pilot on a few base queries, and its responses, each once."""
    suite, tasks = suite_of_model(model), get_tasks()
    fewest = min(len(suite.grades_of(task)) for task in tasks)
    prompts = pilot_prompts(
        tasks,
        suite,
        n_base_queries=STUDY.n_base_queries,
        seed=STUDY.seed,
        n_queries=-(-ANSWERS_PER_TASK // fewest),
        held_out_only=model.preset.held_out_only,
    )
    longest = max(map(len, model.chat.encode(sorted(set(prompts["prompt"])))))
    room = max(1, min(usual.max_new_tokens, model.context_length - longest))
    settings = GenerationConfig.of(replace(usual, max_new_tokens=room), temperature=STUDY.temperature)
    responses = answer_pilot(
        prompts, settings, lambda units, **_: [answer_asked(model, unit, None) for unit in units]
    )
    judges = usual_judges(model.preset, judged_properties(task.name for task in tasks))
    return pilot_table(verify(responses, chosen=judges)), responses.drop_duplicates("answer")


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


def _overall(satisfied: int, unasked: float, n: int) -> Check:
    seen = f"{satisfied} of {n} responses satisfy what was asked, {unasked:.0%} when it was not asked"
    # Two standard errors of a difference of two shares, at their widest.
    if satisfied - unasked * n < (2 * n) ** 0.5:
        advice = "it hardly follows these instructions, so a study of it means little; choose a tuned model"
        return Check("compliance", "warn", f"{seen}: {advice}")
    return Check("compliance", "pass", seen)


def _of_task(task: str, grades: pd.DataFrame) -> Check:
    """What was seen of every grade; a warning where none is followed at all."""
    rows = grades.to_dict("records")
    seen = "; ".join(
        f"{row['grade']}{': ' if row['grade'] else ''}{row['constrained'] * row['n']:.0f} of {row['n']}, "
        f"unasked {row['unconstrained']:.0%}"
        for row in rows
    )
    if not any(row["constrained"] for row in rows):
        advice = "at the floor, with nothing to probe or to ablate; leave it out with --tasks"
        return Check(f"compliance.{task}", "warn", f"{seen}: {advice}")
    return Check(f"compliance.{task}", "pass", seen)
