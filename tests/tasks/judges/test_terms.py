"""Terms in text: whole words, phrases before their parts, endings and masked letters."""

from __future__ import annotations

import pytest

from if_circuits.tasks.judges.terms import TermFinder, tokenize

FINDER = TermFinder(["waste", "waste of time", "bor*", "go to h*", "f*ck", "don't bother", "9/10"])


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("A WASTE of time.", ["waste of time"]),
        ("What a waste of money", ["waste"]),
        ("wasteful", []),
        ("boring bored", ["bor*", "bor*"]),
        ("f*ck it", ["f*ck"]),
        ("fuck it", []),
        ("Don’t bother.<br />9/10", ["don't bother", "9/10"]),
        ("go to hull", ["go to h*"]),
        ("go to", []),
        ("", []),
    ],
)
def test_terms_found(text: str, terms: list[str]):
    assert [hit.term for hit in FINDER.find(tokenize(text))] == terms
