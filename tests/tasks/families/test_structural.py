"""Exact structural verifiers, on cases a user would argue about and on generated text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from if_circuits.tasks.labels import Label
from if_circuits.tasks.registry import get_task


def verdict(task: str, response: str, **parameters: object) -> Label:
    return get_task(task).verify([response], [parameters], {})[0].label


@pytest.mark.parametrize(
    ("response", "n", "expected"),
    [
        ("We saw the river.", 4, Label.SATISFIED),
        ("  We saw\n\nthe river.  ", 4, Label.SATISFIED),
        ("We saw the river.", 5, Label.VIOLATED),
        ("A well-known river", 3, Label.SATISFIED),
    ],
)
def test_words_are_separated_by_whitespace(response: str, n: int, expected: Label) -> None:
    assert verdict("word_count", response, n=n) is expected


@given(st.lists(st.text(st.characters(categories=["L", "N", "P"]), min_size=1), min_size=1, max_size=20))
def test_any_joined_words_count_as_that_many(words: list[str]) -> None:
    assert verdict("word_count", " ".join(words), n=len(words)) is Label.SATISFIED
    assert verdict("word_count", " ".join(words), n=len(words) + 1) is Label.VIOLATED


@pytest.mark.parametrize(("length", "expected"), [(59, Label.SATISFIED), (60, Label.VIOLATED)])
def test_under_sixty_characters_excludes_sixty(length: int, expected: Label) -> None:
    assert verdict("character_count", "a" * length, n=60) is expected


@pytest.mark.parametrize(
    ("response", "satisfied"),
    [
        ('{"note": "rain"}', True),
        ('Here it is:\n```json\n{"note": "rain"}\n```\nI hope that {it} helps.', True),
        ('{"note": "rain"} and {"text": "sun"}', True),
        ('{"text": {"note": "rain"}}', False),
        ('{"note": "rain", "text": "sun"}', False),
        ('{"note": "rain', False),
        ("note: rain", False),
        ("{" * 2000, False),
    ],
)
def test_json_anywhere_is_an_object_in_any_text_and_not_inside_another(
    response: str, satisfied: bool
) -> None:
    found = verdict("json_format", response, key="note", anywhere=True)
    assert (found is Label.SATISFIED) is satisfied


@given(st.text())
def test_json_around_any_text_satisfies_its_own_key_only(text: str) -> None:
    response = json.dumps({"note": text})
    assert verdict("json_format", response, key="note") is Label.SATISFIED
    assert verdict("json_format", response, key="text") is Label.VIOLATED


@pytest.mark.parametrize(
    "response",
    ['{"note": "a"', "note: a", '["note"]', '{"note": "a", "more": "b"}', '"note"', "", "[" * 100_000],
)
def test_what_is_not_that_json_object_violates(response: str) -> None:
    assert verdict("json_format", response, key="note") is Label.VIOLATED


def test_a_markdown_fence_around_the_object_is_forgiven() -> None:
    assert verdict("json_format", '```json\n{"note": "a"}\n```', key="note") is Label.SATISFIED
