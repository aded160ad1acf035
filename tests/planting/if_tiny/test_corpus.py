"""The corpus of if-tiny: it complies, it varies, and what is held out stays out."""

from __future__ import annotations

import re
from itertools import islice
from random import Random

import pytest

from if_circuits.planting.if_tiny import vocabulary
from if_circuits.planting.if_tiny.corpus import compliant, corpus_judges, examples, training_words
from if_circuits.planting.if_tiny.grammar import compose, free_style
from if_circuits.tasks.labels import Label
from if_circuits.tasks.queries import subjects
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.task import HELD_OUT_PARAPHRASES, Task

JUDGES = corpus_judges()
NOUNS = subjects(held_out_only=False)


@pytest.mark.parametrize("task", get_tasks(), ids=lambda task: task.name)
def test_compliant_responses_satisfy_their_constraint(task: Task) -> None:
    rng = Random(3)
    for _ in range(20):
        subject = rng.choice(NOUNS)
        parameters = task.draw(rng, subject, NOUNS)
        text = compliant(rng, task, subject, parameters, nouns=NOUNS, judges=JUDGES)
        assert task.verify([text.text], [parameters], JUDGES)[0].label is Label.SATISFIED


def test_the_same_seed_gives_the_same_corpus() -> None:
    assert list(islice(examples(1), 20)) == list(islice(examples(1), 20))
    assert list(islice(examples(1), 20)) != list(islice(examples(2), 20))


def test_held_out_subjects_and_wordings_are_never_trained_on() -> None:
    held_out = set(subjects(held_out_only=True))
    wordings = [
        re.compile(re.sub(r"\\\{\w+\\\}", ".+", re.escape(paraphrase)) + "$")
        for task in get_tasks()
        for paraphrase in task.paraphrases[-HELD_OUT_PARAPHRASES:]
    ]
    for example in islice(examples(5), 1500):
        request, _, constraint = example.prompt.partition(". ")
        assert request.removesuffix(".").split()[-1] not in held_out
        assert not any(wording.match(constraint) for wording in wordings), example.prompt


def test_some_words_are_never_asked_for() -> None:
    askable = set(training_words())
    asked = {
        match[1]
        for example in islice(examples(6), 1500)
        if (match := re.search(r"(?:Use|Include|Mention) the word (\w+)", example.prompt))
    }
    assert len(NOUNS) - len(askable) == 40
    assert asked
    assert asked <= askable


def test_unconstrained_texts_are_short_and_varied() -> None:
    rng = Random(0)
    texts = [compose(rng, "river", free_style(rng, complaint=False), nouns=NOUNS).text for _ in range(400)]
    lengths = sorted(len(text.split()) for text in texts)
    assert len(set(texts)) > 390
    assert lengths[20] >= 4
    assert lengths[-20] <= 30


def test_choices_lie_at_word_starts_and_at_the_end() -> None:
    rng = Random(0)
    for _ in range(50):
        text = compose(rng, "river", free_style(rng, complaint=False), nouns=NOUNS)
        assert text.decisions[-1] == len(text.text)
        assert all(
            offset == 0 or text.text[offset] in " .!" for offset in (*text.decisions[:-1], *text.slots)
        )


def test_every_mention_of_the_subject_fills_a_slot() -> None:
    rng = Random(0)
    for _ in range(50):
        text = compose(rng, "river", free_style(rng, complaint=False), nouns=NOUNS)
        mentions = [match.start() for match in re.finditer(" river", text.text)]
        assert set(mentions) <= set(text.slots)


def test_neutral_words_mean_nothing_to_any_judge() -> None:
    neutral = [
        *NOUNS,
        *vocabulary.STATES,
        *vocabulary.DAYS,
        *vocabulary.PEOPLE,
        *vocabulary.MODIFIERS,
        *vocabulary.ABOUT_SCENE,
        *vocabulary.ABOUT_SUBJECT,
    ]
    labels = {"topic": None, "sentiment": "neutral", "toxicity": "clean", "register": None}
    for name, label in labels.items():
        found = {text: j.label for text, j in zip(neutral, JUDGES[name].judge(neutral), strict=True)}
        assert {text for text, found_label in found.items() if found_label != label} == set()


def test_sentences_begin_with_capitals_and_articles_agree() -> None:
    for example in islice(examples(11), 500):
        for response in example.responses:
            flaw = re.search(r"\ba (?!use)[aeiou]|\ban [^aeiouh]|(?:^|[.!] )[a-z]", response.text)
            assert flaw is None, response.text
