"""The offline judges: what they call a clear case, and when they say that they cannot tell."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from if_circuits.tasks.judges.choice import default_judges

JUDGES = default_judges()


@pytest.mark.parametrize(
    ("judge", "text", "label"),
    [
        ("topic", "The choir sang and the violin answered the orchestra.", "music"),
        (
            "topic",
            "We planted roses and watered the hedge by the garden wall, then heard a song.",
            "gardening",
        ),
        ("topic", "Nothing happened.", None),
        ("topic", "The dog liked the song.", None),
        ("sentiment", "What a wonderful, lovely day!", "positive"),
        ("sentiment", "It was awful and we hated it.", "negative"),
        ("sentiment", "The lamp stands on the table.", "neutral"),
        ("toxicity", "Whoever did this is a moron.", "toxic"),
        ("toxicity", "Please repair the lamp; I have waited for a week.", "clean"),
        ("toxicity", "The class assembled in the passage.", "clean"),
        ("register", "Please be advised that we shall commence in due course.", "formal"),
        ("register", "Hey guys, that was kinda cool lol", "informal"),
        ("register", "The lamp was old.", None),
    ],
)
def test_clear_cases(judge: str, text: str, label: str | None) -> None:
    assert JUDGES[judge].judge([text])[0].label == label


@given(st.lists(st.text(), max_size=4))
def test_any_text_gets_one_judgement(texts: list[str]) -> None:
    for judge in JUDGES.values():
        assert len(judge.judge(texts)) == len(texts)


def test_sentiment_separates_rewritten_film_reviews() -> None:
    """Each review stands beside its human rewrite of opposite sentiment, so topic and length cannot help."""
    reviews = Path(__file__).parents[4] / "shared/data/cad_sentiment/dev_paired.tsv"
    if not reviews.exists():
        pytest.skip("needs the counterfactual film reviews, which are not part of the project")
    with reviews.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    scores = [judgement.score for judgement in JUDGES["sentiment"].judge([row["Text"] for row in rows])]
    pairs: dict[str, dict[str, float]] = {}
    for row, score in zip(rows, scores, strict=True):
        pairs.setdefault(row["batch_id"], {})[row["Sentiment"]] = score
    right = [pair["Positive"] > pair["Negative"] for pair in pairs.values() if len(pair) == 2]
    assert len(right) > 200
    assert sum(right) / len(right) > 0.8
