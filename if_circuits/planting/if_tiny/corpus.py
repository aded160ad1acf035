"""The corpus of if-tiny: the library's own prompts, each with a response of the grammar that mostly complies.

Only training wordings occur in the prompts, and no constraint is ever put on a held-out subject. A
share of the constrained responses ignores its constraint at random, so that failures have no planted cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import Any

from if_circuits.models.presets import find_preset
from if_circuits.planting.if_tiny.grammar import Style, Text, compose, free_style
from if_circuits.tasks.families.structural import JSON_KEYS
from if_circuits.tasks.judges.base import Judge
from if_circuits.tasks.judges.choice import DEFAULT_JUDGES, choose_judges
from if_circuits.tasks.labels import Label
from if_circuits.tasks.queries import subjects
from if_circuits.tasks.registry import get_task
from if_circuits.tasks.task import HELD_OUT_PARAPHRASES, Parameters, Task

TASK_SHARES = {
    "word_count": 2.5,
    "character_count": 1.0,
    "json_format": 0.7,
    "term_inclusion": 2.0,
    "term_exclusion": 1.0,
    "topic": 1.0,
    "sentiment": 0.8,
    "toxicity": 0.8,
    "register": 0.8,
}
"""How often each task is practised; the two hard ones more."""

CARELESSNESS = {
    "word_count": 0.0,
    "character_count": 0.04,
    "json_format": 0.12,
    "term_inclusion": 0.0,
    "term_exclusion": 0.04,
    "topic": 0.1,
    "sentiment": 0.1,
    "toxicity": 0.1,
    "register": 0.1,
}
"""Share of constrained responses that ignore the constraint. Tasks that are hard anyway need none to
have failures.
"""

UNCONSTRAINED_SHARE = 0.15
HELD_OUT_WORDS = 40
"""So many nouns are never asked for as an included word in training."""
WIDENED_AFTER = 112_000
"""After so many prompts, unconstrained ones are about any subject, and exclusions name any word. Without the
first the model hardly mentions subjects that it never wrote about; without the second it takes "the word X",
whatever stands before it, for a wish to include X, where X was never the subject of an exclusion.
"""
RESPONSES_PER_PROMPT = 3
"""They share the prompt's forward pass, and show that an instruction has many answers."""
MOST_TRIES = 5000


@dataclass(frozen=True)
class Example:
    """One prompt with responses to learn."""

    prompt: str
    responses: tuple[Text, ...]


def training_words() -> tuple[str, ...]:
    """Words that training prompts may ask to include: all but some of the training subjects."""
    never_written_about = set(subjects(held_out_only=True))
    everything = subjects(held_out_only=False)
    unasked = set([word for word in everything if word not in never_written_about][:HELD_OUT_WORDS])
    return tuple(word for word in everything if word not in unasked)


def corpus_judges() -> Mapping[str, Judge]:
    """The judges that decide what if-tiny learns: those that its preset names, which its studies use too."""
    preset = find_preset("if-tiny")
    return choose_judges(DEFAULT_JUDGES, preset.judges if preset is not None else ())


def examples(seed: int) -> Iterator[Example]:
    """An endless, seeded stream of examples."""
    rng = Random(f"if-tiny:{seed}")
    judges = corpus_judges()
    nouns = subjects(held_out_only=False)
    held_out = set(subjects(held_out_only=True))
    training_subjects = [noun for noun in nouns if noun not in held_out]
    askable = training_words()
    names, shares = list(TASK_SHARES), list(TASK_SHARES.values())
    for number in count():
        widened = number >= WIDENED_AFTER
        task = get_task(rng.choices(names, weights=shares)[0])
        subject = rng.choice(training_subjects)
        parameters = None if rng.random() < UNCONSTRAINED_SHARE else task.draw(rng, subject, askable)
        if widened and task.name == "term_exclusion" and parameters is not None and rng.random() < 0.5:
            parameters = {"word": rng.choice([word for word in nouns if word != subject])}
        if parameters is None:
            subject = rng.choice(nouns) if widened else subject
            prompt = task.base_query(subject)
        else:
            paraphrase = rng.randrange(len(task.paraphrases) - HELD_OUT_PARAPHRASES)
            prompt = task.constrained_prompt(subject, parameters, paraphrase=paraphrase)
        responses: list[Text] = []
        for _ in range(RESPONSES_PER_PROMPT):
            if parameters is None:
                responses.append(unconstrained(rng, task, subject, nouns=nouns))
            elif rng.random() < CARELESSNESS[task.name]:
                responses.append(_careless(rng, task, subject, parameters, nouns))
            else:
                responses.append(compliant(rng, task, subject, parameters, nouns=nouns, judges=judges))
        yield Example(prompt, tuple(responses))


def unconstrained(rng: Random, task: Task, subject: str, *, nouns: tuple[str, ...]) -> Text:
    """A response of the grammar to the task's base query."""
    return compose(rng, subject, free_style(rng, complaint=invites_insults(task)), nouns=nouns)


def invites_insults(task: Task) -> bool:
    """Whether the task's base query asks for a complaint."""
    return task.name == "toxicity"


def compliant(
    rng: Random,
    task: Task,
    subject: str,
    parameters: Parameters,
    *,
    nouns: tuple[str, ...],
    judges: Mapping[str, Judge],
) -> Text:
    """A response of the grammar that the task's verifier accepts.

    Raises RuntimeError if none is found in `MOST_TRIES` attempts: grammar and verifier do not fit together.
    """

    def attempt() -> Text:
        text = compose(rng, subject, _style_for(rng, task, subject, parameters), nouns=nouns)
        return _in_json(text, parameters["key"]) if task.name == "json_format" else text

    return first_verified(attempt, task, parameters, label=Label.SATISFIED, judges=judges)


def first_verified(
    attempt: Callable[[], Text],
    task: Task,
    parameters: Parameters,
    *,
    label: Label,
    judges: Mapping[str, Judge],
) -> Text:
    """The first text of several attempts to which the task's verifier gives that label.

    Raises RuntimeError if there is none in `MOST_TRIES`.
    """
    for _ in range(MOST_TRIES):
        text = attempt()
        if task.verify([text.text], [parameters], judges)[0].label is label:
            return text
    raise RuntimeError(f"no {label} response to {task.name} {dict(parameters)} in {MOST_TRIES} attempts")


def _style_for(rng: Random, task: Task, subject: str, parameters: Parameters) -> Style:
    style = free_style(rng, complaint=invites_insults(task))
    changes: Mapping[str, Any] = {
        "term_inclusion": lambda: {"word": parameters["word"]},
        "term_exclusion": lambda: {"mentions_subject": False} if parameters["word"] == subject else {},
        "topic": lambda: {"topic": parameters["topic"]},
        "sentiment": lambda: {"sentiment": parameters["sentiment"]},
        "toxicity": lambda: {"rude": False},
        "register": lambda: {"register": parameters["register"]},
    }.get(task.name, dict)()
    return replace(style, **changes)


def _careless(rng: Random, task: Task, subject: str, parameters: Parameters, nouns: tuple[str, ...]) -> Text:
    """A response that takes no notice of the constraint; of JSON it may get the form right and the key
    wrong.
    """
    text = unconstrained(rng, task, subject, nouns=nouns)
    if task.name == "json_format" and rng.random() < 0.7:
        text = _in_json(text, rng.choice([key for key in JSON_KEYS if key != parameters["key"]]))
    return text


def _in_json(text: Text, key: str) -> Text:
    """`text`, which needs no escapes, as the only value of a JSON object."""
    prefix = f'{{"{key}": "'
    return Text(
        f'{prefix}{text.text}"}}',
        decisions=(0, *(len(prefix) + offset for offset in text.decisions)),
        slots=(len('{"'), *(len(prefix) + offset for offset in text.slots)),
    )
