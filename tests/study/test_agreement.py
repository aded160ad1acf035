"""Verdicts on agreed labels: a response in dispute takes part in nothing."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from if_circuits.study.agreement import agreed_share, agrees
from if_circuits.tasks.judges.choice import second_judges


def rows() -> pd.DataFrame:
    said = ["A wonderful, lovely day!", "It was awful and we hated it.", "A wonderful, lovely day!"]
    return pd.DataFrame(
        {
            "task": ["sentiment"] * 3 + ["word_count"],
            "parameters": [json.dumps({"sentiment": "positive"})] * 3 + [json.dumps({"n": 3})],
            "response": [*said, "One two three."],
            "verdict": ["satisfied", "violated", "violated", "satisfied"],
        }
    )


def test_a_second_judge_of_another_kind_has_to_agree():
    same = agrees(rows(), {"sentiment": "hf:somebody/classifier"})
    assert same.tolist() == [True, True, False, True]
    assert agreed_share(rows(), same) == {"sentiment": pytest.approx(2 / 3)}


def test_the_second_judge_is_never_the_first():
    first = {"sentiment": "opinion-terms", "register": "register-encoder", "mood": "thermometer"}
    second = second_judges(first)
    assert second["register"] == "register-lexicon"
    assert "mood" not in second
    assert all(second[what] != judge for what, judge in first.items() if what in second)
