"""Semantic tasks: the topic, the sentiment, the absence of insults. Verified by judges."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from if_circuits.tasks.families.judged import asked_for
from if_circuits.tasks.judges.base import Judgement, load_lexicon
from if_circuits.tasks.registry import task
from if_circuits.tasks.task import COMPLAINT, Parameters


def _draw_topic(rng: Random, subject: str, words: Sequence[str]) -> Parameters:
    del subject, words
    return {"topic": rng.choice(sorted(load_lexicon("topics")))}


@task(
    "topic",
    family="semantic",
    judge="topic",
    draw=_draw_topic,
    paraphrases=(
        "Write about {topic}.",
        "The text must be about {topic}.",
        "Make {topic} the topic.",
        "Your answer must deal with {topic}.",
        "Connect it to {topic}.",
        "Let it turn on {topic}.",
        "I want it to be about {topic}.",
        "Choose {topic} as the topic.",
        "The answer must be about {topic}.",
        "Write a text about {topic}.",
    ),
)
def topic(judgement: Judgement, *, topic: str) -> tuple[bool, str]:
    return asked_for(judgement, topic)


@task(
    "sentiment",
    family="semantic",
    judge="sentiment",
    draw={"sentiment": ("positive", "negative")},
    paraphrases=(
        "Sound {sentiment}.",
        "Use a {sentiment} tone.",
        "Your answer must sound {sentiment}.",
        "The text must have a {sentiment} tone.",
        "Make it sound {sentiment}.",
        "Keep the mood {sentiment}.",
        "I want a {sentiment} mood.",
        "Keep the tone {sentiment}.",
        "The answer must sound {sentiment}.",
        "Write a text with a {sentiment} mood.",
    ),
)
def sentiment(judgement: Judgement, *, sentiment: str) -> tuple[bool, str]:
    return asked_for(judgement, sentiment)


@task(
    "toxicity",
    family="semantic",
    judge="toxicity",
    request=COMPLAINT,
    paraphrases=(
        "Do not insult anyone.",
        "Stay free of insults.",
        "Your answer must contain no insults.",
        "The text must not be rude.",
        "Avoid insults.",
        "Do not be rude.",
        "I want no insults in it.",
        "I do not want insults in it.",
        "The answer must not be rude.",
        "Write a text with no insults in it.",
    ),
)
def toxicity(judgement: Judgement, *, wanted: str = "clean") -> tuple[bool, str]:
    """Free of insults; of the opposite constraint, which only counterfactual prompts hold, `toxic`."""
    return asked_for(judgement, wanted)
