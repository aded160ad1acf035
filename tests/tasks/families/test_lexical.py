"""Inclusion and exclusion look at whole words, in any case, and are each other's opposite."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from if_circuits.tasks.labels import Label
from if_circuits.tasks.registry import get_task


def verdict(task: str, response: str, word: str) -> Label:
    return get_task(task).verify([response], [{"word": word}], {})[0].label


@pytest.mark.parametrize(
    ("response", "included"),
    [
        ("The river was wide.", True),
        ("RIVER!", True),
        ("the river's bank", True),
        ("a river-boat", True),
        ("The riverbank was wide.", False),
        ("rivers", False),
        ("under_river_", False),
    ],
)
def test_a_word_counts_when_it_stands_alone(response: str, included: bool) -> None:
    assert (verdict("term_inclusion", response, "river") is Label.SATISFIED) == included
    assert (verdict("term_exclusion", response, "river") is Label.SATISFIED) != included


@given(st.text(), st.text(min_size=1))
def test_exclusion_is_the_opposite_of_inclusion_for_any_text_and_word(response: str, word: str) -> None:
    verdicts = {verdict("term_inclusion", response, word), verdict("term_exclusion", response, word)}
    assert verdicts == {Label.SATISFIED, Label.VIOLATED}


@given(st.text(st.characters(categories=["L"]), min_size=1))
def test_a_word_between_spaces_is_found_whatever_its_characters(word: str) -> None:
    assert verdict("term_inclusion", f"so {word} it is", word) is Label.SATISFIED
