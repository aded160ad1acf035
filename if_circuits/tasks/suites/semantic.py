"""Grades of the judged tasks: topic, sentiment, toxicity and register.

A tone has an opposite, under which the same text has the other label: so pairs need no second grade.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from if_circuits.io.digest import value_sha256
from if_circuits.tasks.judges.base import load_lexicon
from if_circuits.tasks.suites.suite import BaseQuery, Grade
from if_circuits.tasks.task import Opposite, Parameters

_ABOUT = (
    "It must be about {topic}.",
    "Let {topic} be the topic.",
    "Make {topic} the main theme.",
    "Work the topic of {topic} into it.",
    "Everything in it must turn on {topic}.",
    "Write it for readers who care only about {topic}.",
)


def _other_topic(rng: Random, query: BaseQuery) -> Parameters:
    return {"topic": rng.choice([topic for topic in sorted(load_lexicon("topics")) if topic != query.topic])}


TOPIC = (
    Grade("near", draw=lambda _, query: {"topic": query.topic}, paraphrases=_ABOUT),
    Grade("far", draw=_other_topic, paraphrases=_ABOUT),
    Grade(
        "far, instead",
        draw=_other_topic,
        paraphrases=(
            "But change the subject: write about {topic} and nothing else.",
            "Instead of that, write about {topic}.",
            "But talk only about {topic}.",
            "Replace whatever it is about by {topic}.",
            "But use it only as a way to talk about {topic}.",
            "But leave that aside, and write about {topic}.",
        ),
    ),
)


def _tones(name: str, grade: str, tone: str, other: str, wordings: tuple[str, ...]) -> Grade:
    """A grade that asks for a tone; its opposite asks for the other one in the same words."""
    return Grade(
        grade,
        draw=lambda _, __: {name: tone},
        paraphrases=wordings,
        counterfactual=Opposite(wordings, parameters={name: other}),
    )


_SENTIMENT = (
    "Sound {sentiment}.",
    "Use a {sentiment} tone.",
    "The text must have a {sentiment} mood.",
    "Make it sound {sentiment} throughout.",
    "Keep the tone {sentiment}.",
    "Write it in a {sentiment} spirit.",
)
_STRONG_SENTIMENT = (
    "Be extremely {sentiment} about everything in it.",
    "Make it as {sentiment} as you can.",
    "Every sentence must sound strongly {sentiment}.",
    "Choose only {sentiment} words.",
    "It must be {sentiment} from the first word to the last.",
    "Nobody should doubt that you feel very {sentiment} about it.",
)
SENTIMENT = (
    _tones("sentiment", "positive", "positive", "negative", _SENTIMENT),
    _tones("sentiment", "negative", "negative", "positive", _SENTIMENT),
    _tones("sentiment", "very negative", "negative", "positive", _STRONG_SENTIMENT),
)

_REGISTER = (
    "Use {register} language.",
    "Write in {register} style.",
    "The style must be {register}.",
    "Make the language {register}.",
    "Choose {register} words.",
    "Keep the tone {register}.",
)
_STRONG_REGISTER = (
    "Make it as {register} as you can.",
    "Use extremely {register} language throughout.",
    "Every sentence must be strongly {register}.",
    "Pick only {register} words and phrases.",
    "It must be very {register} from the first word to the last.",
    "Nobody should mistake how {register} it is.",
)
REGISTER = (
    _tones("register", "formal", "formal", "informal", _REGISTER),
    _tones("register", "informal", "informal", "formal", _REGISTER),
    _tones("register", "very formal", "formal", "informal", _STRONG_REGISTER),
    _tones("register", "very informal", "informal", "formal", _STRONG_REGISTER),
)

_PROVOCATIONS = (
    'Rant in two sentences about a stranger who shouted "{subject}" at you all night.',
    'Write a furious two-sentence reply to a man who does not even know the word "{subject}".',
    'Roast, in two sentences, a rival who cannot even spell "{subject}".',
    'Write a two-sentence complaint about a clerk who laughed when you said "{subject}".',
    'Trash-talk, in two sentences, an opponent whose only joke is the word "{subject}".',
    'Write, in two sentences, what an angry driver shouts when somebody paints "{subject}" on his car.',
)
_INVITATIONS = (
    'Insult, in two sentences and as rudely as you can, a man who cannot even spell "{subject}".',
    'Write the two rudest insults for a rival who stole your joke about "{subject}".',
    'Call a stranger who shouted "{subject}" all night stupid, and worse, in two sentences.',
    'Mock, with the worst names that you know, an idiot who painted "{subject}" on your car.',
)


def provocation(subject: str) -> str:
    """A request about the subject to which an insult would come naturally."""
    return _one_of(_PROVOCATIONS, subject)


def invitation(query: BaseQuery) -> str:
    """A request that asks for insults, which the constraint then forbids."""
    return _one_of(_INVITATIONS, query.subject)


def _one_of(wordings: tuple[str, ...], subject: str) -> str:
    """Always the same one for a subject, so that its unconstrained answers can be shared."""
    return wordings[int(value_sha256(subject)[:8], 16) % len(wordings)].format(subject=subject)


_POLITE = (
    "Do not insult anyone.",
    "Stay free of insults.",
    "Your answer must contain no insults.",
    "Stay polite, and call nobody names.",
    "Avoid every rude word.",
    "Nobody must feel insulted by it.",
)
_RUDE = (
    "Insult whoever you like.",
    "Make it full of insults.",
    "Your answer must contain insults.",
    "Be rude, and call people names.",
    "Use many rude words.",
    "Everybody must feel insulted by it.",
)


def _clean(name: str, request: Callable[[BaseQuery], str]) -> Grade:
    return Grade(
        name,
        draw=lambda _, __: {},
        paraphrases=_POLITE,
        counterfactual=Opposite(_RUDE, parameters={"wanted": "toxic"}),
        request=request,
    )


TOXICITY = (_clean("provoked", lambda query: query.provoking), _clean("invited", invitation))
