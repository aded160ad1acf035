"""The open suite: varied base queries, and grades that can be satisfied, broken and paired."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import combinations
from random import Random

import pandas as pd
import pytest

from if_circuits.errors import InputError
from if_circuits.tasks.counterfactual import counterfactual_pairs
from if_circuits.tasks.judges.base import load_lexicon
from if_circuits.tasks.judges.choice import default_judges
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks, task
from if_circuits.tasks.suites.choice import get_suite
from if_circuits.tasks.verification import verify

SUITE, TASKS = get_suite("open"), get_tasks()
GRADES = [(each, grade) for each in TASKS for grade in SUITE.grades_of(each)]


def words_of(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", text.lower()))


def test_there_are_many_base_queries_of_many_kinds() -> None:
    kinds = Counter(query.kind for query in SUITE.queries)
    assert len(SUITE.queries) >= 300
    assert len(kinds) >= 10
    assert min(kinds.values()) >= 15
    assert len({query.name for query in SUITE.queries}) == len(SUITE.queries)


def test_no_two_requests_are_nearly_the_same() -> None:
    """At most two thirds of the words in common: two requests of a kind share its frame, not its content."""
    told = [(query.name, words_of(query.request)) for query in SUITE.queries]
    near = [(a, b) for (a, x), (b, y) in combinations(told, 2) if 3 * len(x & y) > 2 * len(x | y) and a < b]
    assert [pair for pair in near if len(pair) > 40] == []
    subjects = [query.subject for query in SUITE.queries]
    assert len(set(subjects)) == len(subjects)
    bare = [words_of(query.request.partition(".")[0]) for query in SUITE.queries]
    assert len(set(bare)) == len(bare)


def test_a_base_query_names_its_subject_and_not_the_words_that_would_fit_in() -> None:
    topics = set(load_lexicon("topics"))
    for query in SUITE.queries:
        assert query.subject in words_of(query.request), query
        assert len(set(query.words)) == 3
        assert not set(query.words) & words_of(query.request), query
        assert query.subject not in query.words
        assert query.topic in topics


def test_every_grade_has_six_wordings_that_read_well() -> None:
    for each, grade in GRADES:
        assert len(set(grade.paraphrases)) >= 6, (each.name, grade.name)
        for number in range(len(grade.paraphrases)):
            query = SUITE.queries[number]
            text = grade.prompt(query, grade.draw(Random(number), query), paraphrase=number)
            assert text.startswith(grade.request(query))
            assert "[" not in text
            assert "an formal" not in text


def test_names_of_grades_are_unique_within_a_task() -> None:
    for each in TASKS:
        names = [grade.name for grade in SUITE.grades_of(each)]
        assert len(names) == len(set(names)) >= 2
        assert SUITE.grade(each, names[0]).name == names[0]
    with pytest.raises(InputError, match="no grade 'hardest'"):
        SUITE.grade(TASKS[0], "hardest")


def test_prompts_of_a_query_take_turns_among_the_kept_grades() -> None:
    kept = {"word_count": ("at most 60", "between"), "json_format": ("two keys",)}
    prompts = build_prompts(
        TASKS, n_base_queries=8, prompts_per_query=4, held_out_only=False, suite=SUITE, kept=kept
    )
    assert prompts["prompt_id"].is_unique
    asked = prompts[prompts["constrained"]]
    counts = asked.groupby(["task", "grade"]).size()
    assert counts["word_count"].to_dict() == {"at most 60": 16, "between": 16}
    assert counts["json_format"].to_dict() == {"two keys": 32}
    assert asked.groupby("task")["base_query"].nunique().eq(8).all()


def test_tasks_share_the_unconstrained_requests() -> None:
    prompts = build_prompts(TASKS, n_base_queries=10, held_out_only=False, suite=SUITE)
    twins = prompts[~prompts["constrained"]]
    requests = twins.groupby("base_query")["prompt"].nunique()
    assert requests.max() <= 3  # its own, one that provokes, and one that invites insults
    of_topic = twins[twins["task"] != "toxicity"].groupby("base_query")["prompt"].nunique()
    assert (of_topic == 1).all()


def test_a_users_task_joins_with_its_own_wordings() -> None:
    @task(
        "ends_in_peace", family="lexical", paraphrases=["End with peace."], request="Sing of the {subject}."
    )
    def ends_in_peace(response: str) -> bool:
        return response.endswith("peace")

    del ends_in_peace
    own = get_tasks(["ends_in_peace"])
    prompts = build_prompts(own, n_base_queries=3, prompts_per_query=1, held_out_only=False, suite=SUITE)
    assert set(prompts["grade"]) == {""}
    subject = SUITE.query(prompts["base_query"].iloc[0]).subject
    assert prompts["prompt"].tolist()[:2] == [
        f"Sing of the {subject}. End with peace.",
        f"Sing of the {subject}.",
    ]


TEXTS = (
    "It was a good day, and I feel very happy with the wonderful soup. "
    "This great kitchen is a delight for you and the children.",
    "I hate this awful, terrible soup. It was bad, sad and horrible, but you never listen to my pain.",
    "Kindly accept our sincere regards; furthermore, we request that you attend the meeting.",
    "Yeah, it's kinda cool, gonna grab some stuff with ya guys.",
    "You stupid idiot, you moron! Get lost.",
    "The team won the match and the coach sang a song on the train.",
    "Rain.",
    " ".join(["The garden is full of flowers and the dog sleeps in the sun on the grass."] * 6),
)


def answer(number: int, row: dict[str, str]) -> str:
    """A text of many kinds; every other one obeys what only a text made for it could obey."""
    parameters = json.loads(row["parameters"])
    if number % 2 and row["task"] == "json_format":
        return json.dumps(dict.fromkeys(parameters.get("keys") or [parameters["key"]], "A day."))
    if number % 2 and row["grade"] == "exactly":
        return " ".join(["day"] * parameters["n"])
    words = SUITE.query(row["base_query"]).words if number % 2 else ()
    return " ".join(
        [TEXTS[number % len(TEXTS)], *words, *(parameters.get("words", ()) if number % 3 == 0 else ())]
    )


@pytest.fixture(scope="module")
def responses() -> pd.DataFrame:
    """Texts of many kinds as the answers to prompts of every grade."""
    prompts = build_prompts(TASKS, n_base_queries=60, prompts_per_query=6, held_out_only=False, suite=SUITE)
    asked = prompts[prompts["constrained"]].reset_index(drop=True)
    texts = [answer(number, row) for number, row in enumerate(asked.to_dict("records"))]
    return verify(asked.assign(response=texts, response_id=asked["prompt_id"]), default_judges())


def test_every_grade_can_be_satisfied_and_broken(responses: pd.DataFrame) -> None:
    seen = responses.groupby(["task", "grade"])["verdict"].agg(set)
    assert len(seen) == len(GRADES)
    assert all({"satisfied", "violated"} <= verdicts for verdicts in seen), seen


def test_pairs_stay_within_their_grade_and_the_verifier_agrees(responses: pd.DataFrame) -> None:
    block_of = {name: number % 3 for number, name in enumerate(sorted(responses["base_query"].unique()))}
    pairs = counterfactual_pairs(responses, default_judges(), suite=SUITE, block_of=block_of)
    assert verify(pairs, default_judges())["verdict"].tolist() == pairs["verdict"].tolist()
    for _, pair in pairs.groupby("pair"):
        assert pair["prompt"].nunique() == 2
        assert pair["grade"].nunique() == 1
        assert sorted(pair["verdict"]) == ["satisfied", "violated"]
    made = pairs.groupby("task")["pair"].nunique()
    assert set(made.index) == {each.name for each in TASKS}
    balanced = pairs.assign(block=pairs["base_query"].map(block_of))
    balanced = balanced[~balanced["task"].isin(["character_count"])]
    balanced = balanced[~balanced["grade"].str.startswith("at ")]
    for place, rows in balanced.groupby(["task", "grade", "block"]):
        by_label = {label: sorted(part["parameters"]) for label, part in rows.groupby("verdict")}
        assert by_label["satisfied"] == by_label["violated"], place


@pytest.mark.parametrize(
    ("task_name", "grade", "response", "around"),
    [
        ("word_count", "at most 30", "one two three four five six", (10, 5)),
        ("word_count", "at most 30", "one two three four five", None),
        ("word_count", "at least 50", "one two three four five six", (5, 10)),
        ("character_count", "under 120", "x" * 20, (30, 20)),
        ("character_count", "at least 300", "x" * 40, (40, 60)),
    ],
)
def test_bounds_lie_on_both_sides_in_both_directions(
    task_name: str, grade: str, response: str, around: tuple[int, int] | None
) -> None:
    (of,) = get_tasks([task_name])
    how = SUITE.grade(of, grade).counterfactual
    found = how.around(response)  # pyright: ignore[reportAttributeAccessIssue]
    if around is None:
        assert found is None
        return
    assert tuple(each["n"] for each in found) == around
    rows = [{"task": task_name, "parameters": json.dumps(each), "response": response} for each in found]
    assert verify(pd.DataFrame(rows))["verdict"].tolist() == ["satisfied", "violated"]
