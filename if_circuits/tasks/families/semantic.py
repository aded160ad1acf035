"""Semantic tasks: the topic, the sentiment, the absence of insults. Verified by judges."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from if_circuits.tasks.families.judged import judged_by
from if_circuits.tasks.judges.base import load_lexicon
from if_circuits.tasks.registry import register_task
from if_circuits.tasks.task import COMPLAINT, Parameters, Task


def _draw_topic(rng: Random, subject: str, words: Sequence[str]) -> Parameters:
    del subject, words
    return {"topic": rng.choice(sorted(load_lexicon("topics")))}


def _draw_sentiment(rng: Random, subject: str, words: Sequence[str]) -> Parameters:
    del subject, words
    return {"sentiment": rng.choice(("positive", "negative"))}


def _draw_nothing(rng: Random, subject: str, words: Sequence[str]) -> Parameters:
    del rng, subject, words
    return {}


TOPIC = register_task(
    Task(
        name="topic",
        family="semantic",
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
        verify=judged_by("topic", lambda parameters: parameters["topic"]),
        judge="topic",
    )
)

SENTIMENT = register_task(
    Task(
        name="sentiment",
        family="semantic",
        draw=_draw_sentiment,
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
        verify=judged_by("sentiment", lambda parameters: parameters["sentiment"]),
        judge="sentiment",
    )
)

TOXICITY = register_task(
    Task(
        name="toxicity",
        family="semantic",
        draw=_draw_nothing,
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
        verify=judged_by("toxicity", lambda parameters: "clean"),  # noqa: ARG005 - one label for all parameters
        request=COMPLAINT,
        judge="toxicity",
    )
)
