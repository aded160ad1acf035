import json

import pytest

from if_circuits.tasks.prompts import build_prompts, prompts
from if_circuits.tasks.recognise import recognise
from if_circuits.tasks.registry import get_tasks


@pytest.mark.parametrize("task", get_tasks(), ids=lambda task: task.name)
def test_every_prompt_that_a_task_builds_is_recognised_with_its_parameters(task) -> None:
    prompts = build_prompts([task], n_base_queries=3, prompts_per_query=10, held_out_only=False)
    for row in prompts.to_dict("records"):
        found = recognise(row["prompt"])
        if row["constrained"]:
            assert found is not None, row["prompt"]
            assert (found[0].name, dict(found[1])) == (task.name, json.loads(row["parameters"]))
        else:
            assert found is None


@pytest.mark.parametrize(
    "prompt",
    [
        "Write about your day.",
        "Use exactly many words.",
        "Use shiny language.",
        "Use exactly 8 words. And be quick.",
        "",
    ],
)
def test_other_prompts_belong_to_no_task(prompt: str) -> None:
    assert recognise(prompt) is None


def test_numbers_that_no_study_draws_are_recognised() -> None:
    task, parameters = recognise("Tell me of the sea. Use exactly 31 words.") or pytest.fail("not found")
    assert (task.name, parameters) == ("word_count", {"n": 31})


def test_graded_prompts_are_recognised_with_what_they_do_not_say() -> None:
    """Such as the relation of a bound, and lists of words in quotes."""
    for row in prompts(n=4, per_query=5, suite="open").to_dict("records")[::3]:
        task, parameters = recognise(row["prompt"]) or pytest.fail(row["prompt"])
        assert (task.name, dict(parameters)) == (row["task"], json.loads(row["parameters"])), row["prompt"]
