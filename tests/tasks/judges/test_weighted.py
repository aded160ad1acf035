"""The linear judges of sentiment and toxicity: what they call a clear case, and what they must not."""

from __future__ import annotations

import pytest

from if_circuits.tasks.judges.choice import default_judges

JUDGES = default_judges()


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("A masterpiece, and I loved every minute.", "positive"),
        ("It was not good, and a waste of time.", "negative"),
        ("Not bad at all.", "positive"),
        ("The lamp stands on the table.", "neutral"),
        ("", "neutral"),
    ],
)
def test_sentiment(text: str, label: str):
    assert JUDGES["sentiment"].judge([text])[0].label == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("You are a moron.", "toxic"),
        ("Shut up and drop dead.", "toxic"),
        ("I am very sad, angry and disappointed: the worst week of my life.", "clean"),
        ("My gay Muslim neighbour met a Jewish friend, and two black women who vote Republican.", "clean"),
        ("Barbara demonstrated a spicy dish from Pakistan to a cuckoo in Fukushima.", "clean"),
        ("Snowflakes fell on the garbage.", "clean"),
    ],
)
def test_toxicity(text: str, label: str):
    assert JUDGES["toxicity"].judge([text])[0].label == label
