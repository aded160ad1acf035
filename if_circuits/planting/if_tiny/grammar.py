"""The seeded grammar of if-tiny's controlled English: short texts about a subject, in a chosen style."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from if_circuits.planting.if_tiny import vocabulary as words

_SLOT = "\x00"
"""Stands before a word that filled a slot, until the text is put together."""

Sentiment = Literal["positive", "negative"]
Register = Literal["formal", "informal"]


@dataclass(frozen=True)
class Style:
    """What a text is like, decided before its words."""

    topic: str | None = None
    sentiment: Sentiment | None = None
    register: Register | None = None
    rude: bool | None = None
    """True: with insults; False: a polite complaint; None: no complaint at all."""
    mentions_subject: bool = True
    word: str | None = None
    """A noun that the text has to contain."""


@dataclass(frozen=True)
class Text:
    """A text and the character offsets (of the space before a word, if any) at which the writer chose."""

    text: str
    decisions: tuple[int, ...]
    """Where the next part of a sentence, or its end, was chosen."""
    slots: tuple[int, ...]
    """Where a word was chosen to fill a slot: nouns, topics, moods, insults."""


def free_style(rng: Random, *, complaint: bool) -> Style:
    """The style of a text that nobody constrained."""
    return Style(
        topic=None if complaint or rng.random() < 0.2 else rng.choice(list(words.TOPIC_THINGS)),
        sentiment=None if complaint else rng.choice((None, None, "positive", "negative")),
        register=rng.choice((None, "formal", "informal")),
        rude=rng.random() < 0.55 if complaint else None,
        mentions_subject=rng.random() < 0.55,
    )


def compose(rng: Random, subject: str, style: Style, *, nouns: Sequence[str]) -> Text:
    """A text of one to three sentences about `subject` in `style`; other nouns are drawn from `nouns`."""
    nouns = [noun for noun in nouns if noun != subject]
    sentences = _sentence_kinds(rng, style)
    carrier = rng.randrange(len(sentences)) if style.word else -1
    mention = rng.randrange(len(sentences)) if style.mentions_subject else -1
    text = ""
    decisions: list[int] = []
    slots: list[int] = []
    for number, kind in enumerate(sentences):
        parts = _sentence(
            rng,
            kind,
            # The subject is named in one sentence at least, elsewhere as chance has it.
            replace(
                style, mentions_subject=style.mentions_subject and (number == mention or rng.random() < 0.3)
            ),
            subject=subject,
            nouns=nouns,
            word=style.word if number == carrier else None,
            must_mention=number == mention,
        )
        for place, part in enumerate(parts):
            if text:
                text += " "
            decisions.append(max(len(text) - 1, 0))
            start = len(text)
            before, *filled = part.split(_SLOT)
            text += before
            for word in filled:
                slots.append(max(len(text) - 1, 0))
                text += word
            if place == 0:
                text = text[:start] + text[start].upper() + text[start + 1 :]
        decisions.append(len(text))
        text += "!" if kind in ("mood", "rude") and rng.random() < 0.5 else "."
    return Text(text, (*decisions, len(text)), tuple(slots))


def _sentence_kinds(rng: Random, style: Style) -> list[str]:
    """One kind a sentence: everything that the style asks for, then neutral ones, in random order."""
    kinds: list[str] = []
    if style.topic:
        kinds.append("topic")
    if style.sentiment:
        kinds.append("mood")
    if style.rude is not None:
        kinds.append("rude" if style.rude else "complaint")
    total = rng.choices((1, 2, 3), weights=(50, 38, 12))[0]
    while len(kinds) < total:
        kinds.append("complaint" if style.rude is not None else rng.choice(("plain", "plain", *kinds)))
    rng.shuffle(kinds)
    return kinds


def _sentence(
    rng: Random,
    kind: str,
    style: Style,
    *,
    subject: str,
    nouns: Sequence[str],
    word: str | None,
    must_mention: bool,
) -> list[str]:
    """The parts of one sentence: an opener, a core, and a chain of modifiers."""
    parts: list[str] = []
    if style.register and rng.random() < 0.75:
        parts.append(rng.choice(words.OPENERS[style.register]))
    core = _core(rng, kind, style, must_mention=must_mention)
    modifiers = [
        rng.choice(words.MODIFIERS) for _ in range(rng.choices((0, 1, 2, 3), weights=(42, 34, 16, 8))[0])
    ]
    if style.register and (not parts or rng.random() < 0.25):
        modifiers.append(rng.choice(words.STYLE_MODIFIERS[style.register]))
    if word and "{noun}" not in core and not any("{noun}" in modifier for modifier in modifiers):
        place = rng.randint(0, len(modifiers))
        modifiers.insert(place, rng.choice([m for m in words.MODIFIERS if "{noun}" in m]))
    if must_mention and "{s}" not in core:
        modifiers.insert(
            rng.randint(0, len(modifiers)), rng.choice(("near {s}", "beside {s}", "with {s}", "by {s}"))
        )
    filled = [_fill(rng, part, style, subject=subject) for part in (core, *modifiers)]
    if word:
        slots = [place for place, part in enumerate(filled) if "{noun}" in part]
        place = rng.choice(slots)
        filled[place] = filled[place].replace("{noun}", f"{_SLOT}{word}")
    return parts + [_fill_nouns(rng, part, nouns) for part in filled]


def _core(rng: Random, kind: str, style: Style, *, must_mention: bool) -> str:
    if kind == "mood" and style.sentiment:
        return rng.choice(words.MOODS[style.sentiment])
    if kind == "plain":
        return rng.choice(words.ABOUT_SUBJECT if must_mention or rng.random() < 0.3 else words.ABOUT_SCENE)
    return rng.choice({"topic": words.ABOUT_TOPIC, "rude": words.RUDE, "complaint": words.COMPLAINTS}[kind])


def _fill(rng: Random, part: str, style: Style, *, subject: str) -> str:
    """`part` with every slot but the nouns filled."""
    mention = rng.choice(("the", "the", "this", "our")) + f" {_SLOT}{subject}"
    part = part.replace(
        "{s}", mention if style.mentions_subject else rng.choice(("it", "this one", "that one"))
    )
    fillers = {
        "state": words.STATES,
        "day": words.DAYS,
        "who": words.PEOPLE,
        "insult": words.INSULTS,
        "rude": words.RUDE_ADJECTIVES,
        "mood": words.GOOD if style.sentiment == "positive" else words.BAD,
        "action": words.TOPIC_ACTIONS[style.topic].split("|") if style.topic else (),
        "thing": words.TOPIC_THINGS[style.topic] if style.topic else (),
    }
    for slot, choices in fillers.items():
        while f"{{{slot}}}" in part:
            part = part.replace(f"{{{slot}}}", _SLOT + rng.choice(choices), 1)
    return part


def _fill_nouns(rng: Random, part: str, nouns: Sequence[str]) -> str:
    while "{noun}" in part:
        part = part.replace("{noun}", _SLOT + rng.choice(nouns), 1)
    return re.sub(rf"\ba (?={_SLOT}(?!use)[aeiou])", "an ", part)
