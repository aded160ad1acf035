"""Verdicts on a table of responses: order kept, empty responses violate, failures are never satisfied."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pandas as pd

from if_circuits.tasks.judges.base import Judge, Judgement
from if_circuits.tasks.judges.choice import default_judges
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.verification import verify

PARAMETERS = {
    "word_count": {"n": 0},
    "character_count": {"n": 60},
    "json_format": {"key": "note"},
    "term_inclusion": {"word": "river"},
    "term_exclusion": {"word": "river"},
    "topic": {"topic": "music"},
    "sentiment": {"sentiment": "positive"},
    "toxicity": {},
    "register": {"register": "formal"},
}


def table(
    responses: Sequence[tuple[str, str]], parameters: Mapping[str, object] = PARAMETERS
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "task": [task for task, _ in responses],
            "parameters": [json.dumps(parameters[task]) for task, _ in responses],
            "response": [text for _, text in responses],
        }
    )


def test_verdicts_stand_in_the_order_of_the_responses() -> None:
    verified = verify(
        table(
            [
                ("term_inclusion", "river"),
                ("topic", "a song"),
                ("term_inclusion", "lake"),
                ("topic", "nothing"),
            ]
        )
    )
    assert verified.verdict.tolist() == ["satisfied", "satisfied", "violated", "undecided"]
    assert verified.reason.str.len().min() > 0


def test_an_empty_response_satisfies_no_constraint() -> None:
    verified = verify(table([(task.name, blank) for task in get_tasks() for blank in ("", "  \n")]))
    assert set(verified.verdict) == {"violated"}


class BreaksOn:
    """A judge that fails on one text."""

    name = "fragile"

    def __init__(self, poison: str) -> None:
        self.poison = poison

    def judge(self, texts: Sequence[str]) -> list[Judgement]:
        if self.poison in texts:
            raise ValueError("cannot read this")
        return [Judgement("clean", 0.0, "fine") for _ in texts]


def test_a_failing_judge_leaves_only_its_text_undecided() -> None:
    judges: dict[str, Judge] = {**default_judges(), "toxicity": BreaksOn("poison")}
    verified = verify(table([("toxicity", "fine"), ("toxicity", "poison"), ("toxicity", "good")]), judges)
    assert verified.verdict.tolist() == ["satisfied", "undecided", "satisfied"]
    assert "cannot read this" in verified.reason[1]
