"""The table of prompts: twins, groups, determinism, and what is held out."""

from __future__ import annotations

import json

import pytest

from if_circuits.errors import InputError
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.queries import subjects
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.task import HELD_OUT_PARAPHRASES

TASKS = get_tasks()


def test_every_constrained_prompt_has_a_twin_that_lacks_only_the_constraint() -> None:
    prompts = build_prompts(TASKS, n_base_queries=5, held_out_only=False).set_index("prompt_id")
    constrained = prompts[prompts.constrained]
    assert len(constrained) == len(prompts) // 2 == 9 * 5 * 3
    for identity, row in constrained.iterrows():
        twin = prompts.loc[f"{identity}/twin"]
        assert row.prompt.startswith(f"{twin.prompt} ")
        assert (twin.task, twin.parameters, twin.base_query) == (row.task, row.parameters, row.base_query)


def test_all_tasks_share_their_base_queries() -> None:
    prompts = build_prompts(TASKS, n_base_queries=7, held_out_only=True)
    assert {frozenset(rows) for _, rows in prompts.groupby("task").base_query} == {
        frozenset(prompts.base_query)
    }
    assert prompts.base_query.nunique() == 7


def test_prompts_are_distinct_within_a_task_and_name_their_parameters() -> None:
    prompts = build_prompts(TASKS, n_base_queries=20, held_out_only=False)
    constrained = prompts[prompts.constrained]
    assert not constrained.duplicated(["task", "prompt"]).any()
    for row in constrained.itertuples():
        for value in json.loads(str(row.parameters)).values():
            assert str(value) in str(row.prompt)


def test_a_prompt_depends_on_the_seed_but_not_on_its_neighbours() -> None:
    few = build_prompts(TASKS[:2], n_base_queries=3, held_out_only=True, seed=4).set_index("prompt_id").prompt
    many = build_prompts(TASKS, n_base_queries=3, held_out_only=True, seed=4).set_index("prompt_id").prompt
    other = build_prompts(TASKS, n_base_queries=3, held_out_only=True, seed=5).set_index("prompt_id").prompt
    assert many[few.index].equals(few)
    assert set(many) != set(other)


def test_held_out_prompts_use_only_held_out_subjects_and_wordings() -> None:
    prompts = build_prompts(TASKS, n_base_queries=50, held_out_only=True)
    assert set(prompts.base_query) <= set(subjects(held_out_only=True))
    assert prompts.paraphrase.min() == len(TASKS[0].paraphrases) - HELD_OUT_PARAPHRASES


def test_held_out_wordings_are_new_sentences_of_known_words() -> None:
    requests = [task.request for task in TASKS]
    trained = [text for task in TASKS for text in task.paraphrases[:-HELD_OUT_PARAPHRASES]]
    known = {word.strip(".,") for text in (*requests, *trained) for word in text.split()}
    for task in TASKS:
        for wording in task.paraphrases[-HELD_OUT_PARAPHRASES:]:
            assert {word.strip(".,") for word in wording.split()} <= known, wording
            assert wording not in trained


@pytest.mark.parametrize("arguments", [{"n_base_queries": 0}, {"n_base_queries": 10_000}])
def test_impossible_numbers_of_base_queries_are_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(InputError, match="base queries asked for"):
        build_prompts(TASKS, held_out_only=True, **arguments)


def test_more_prompts_than_wordings_are_refused() -> None:
    with pytest.raises(InputError, match="wordings"):
        build_prompts(TASKS, n_base_queries=2, prompts_per_query=4, held_out_only=True)
