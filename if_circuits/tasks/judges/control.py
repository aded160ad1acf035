"""Truth without a judge: texts that this project wrote to check judges by, in `assets/judges/control.json`.

Pairs of equal content, formal and informal or positive and negative, and notes on one topic each. No judge is
fitted to them or chosen by them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from if_circuits.tasks.judges.base import AskingJudge, Judge
from if_circuits.tasks.judges.heads import asset

SIDES = {"register": ("formal", "informal"), "sentiment": ("positive", "negative")}
"""The two texts of a pair; a judge's score is larger on the first."""


@dataclass(frozen=True)
class ControlScore:
    """What a judge makes of the control texts."""

    judge: str
    n_pairs: int
    ordered: float
    """Share of pairs whose first text scores higher; a tie counts as wrong."""
    ordered_interval: tuple[float, float]
    """95 %, Wilson."""
    undecided: float
    """Share of texts."""
    right: float
    """Share of the decided texts with the right label; NaN where nothing is decided."""


def control_pairs(what: str) -> list[tuple[str, str]]:
    """The pairs of texts for `register` or `sentiment`."""
    first, second = SIDES[what]
    return [(pair[first], pair[second]) for pair in _control()[what]]


def control_topics() -> list[tuple[str, str]]:
    """(text, topic), some of the topics in no lexicon."""
    return [(each["text"], each["topic"]) for each in _control()["topic"]]


def measure_on_pairs(judge: Judge, what: str) -> ControlScore:
    """The judge on the pairs for `what`."""
    pairs = control_pairs(what)
    texts = [text for pair in pairs for text in pair]
    judgements = judge.judge(texts)
    scores = np.array([each.score for each in judgements]).reshape(-1, 2)
    difference = scores[:, 0] - scores[:, 1]
    labels = [each.label for each in judgements]
    return _score(judge.name, difference, labels, list(SIDES[what]) * len(pairs), SIDES[what])


def measure_on_topics(judge: AskingJudge, *, name: str, seed: int = 0) -> ControlScore:
    """The judge of topics, asked of each note about its own topic and about one of another note's."""
    notes = control_topics()
    topics = sorted({topic for _, topic in notes})
    rng = np.random.default_rng(seed)
    others = [str(rng.choice([topic for topic in topics if topic != own])) for _, own in notes]
    texts = [text for text, _ in notes for _ in range(2)]
    asked = [topic for (_, own), other in zip(notes, others, strict=True) for topic in (own, other)]
    judgements = judge.judge_asked(texts, [{"topic": topic} for topic in asked])
    scores = np.array([each.score for each in judgements]).reshape(-1, 2)
    said = [
        None if each.label is None else "own" if each.label == topic else "other"
        for each, topic in zip(judgements, asked, strict=True)
    ]
    return _score(name, scores[:, 0] - scores[:, 1], said, ["own", "other"] * len(notes), ("own", "other"))


def _score(
    name: str,
    difference: np.ndarray,
    labels: Sequence[str | None],
    truth: Sequence[str],
    known: Sequence[str],
) -> ControlScore:
    decided = [(mine, true) for mine, true in zip(labels, truth, strict=True) if mine in known]
    interval = binomtest(int((difference > 0).sum()), len(difference)).proportion_ci(method="wilson")
    return ControlScore(
        judge=name,
        n_pairs=len(difference),
        ordered=float(np.mean(difference > 0)),
        ordered_interval=(float(interval.low), float(interval.high)),
        undecided=1 - len(decided) / len(truth),
        right=float(np.mean([mine == true for mine, true in decided])) if decided else float("nan"),
    )


def _control() -> dict[str, Any]:
    return json.loads(asset("control.json"))
