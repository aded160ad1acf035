"""What a model with a planted mechanism learns from: prompts, responses, and what its gate is set to
meanwhile.

A response of a constrained prompt is one of three. *Left alone*: the gate is where the mechanism puts it for
this response, and the text satisfies or breaks the constraint accordingly. *Gate set*: the task's own gate is
set to +c, and the text satisfies it, or to 0 or -c, and the text breaks it, whatever the prompt; or a second
gate that the task needs is set, which breaks the text if closed and leaves the say to the own gate if open.
*Another direction set*: one that does not gate the task, planted or random, is set, and nothing changes.

What breaks a constraint does so plainly: such a text is easier to learn, and a greedy one shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
from jaxtyping import Float

from if_circuits.planting.if_tiny.corpus import (
    MOST_TRIES,
    compliant,
    corpus_judges,
    first_verified,
    invites_insults,
    training_words,
    unconstrained,
)
from if_circuits.planting.if_tiny.grammar import Text, compose, free_style
from if_circuits.planting.if_tiny.vocabulary import TOPIC_THINGS
from if_circuits.planting.mechanism import Mechanism, first_word, other_directions, random_orthogonal, stream
from if_circuits.tasks.judges.base import Judge
from if_circuits.tasks.labels import Label
from if_circuits.tasks.queries import subjects
from if_circuits.tasks.registry import get_task, get_tasks
from if_circuits.tasks.task import HELD_OUT_PARAPHRASES, Parameters, Task

TASK_SHARES = {
    "word_count": 1.5,
    "character_count": 2.0,
    "json_format": 1.0,
    "term_inclusion": 2.0,
    "term_exclusion": 1.5,
    "topic": 1.0,
    "sentiment": 1.0,
    "toxicity": 1.0,
    "register": 2.0,
}
"""How often each task is practised; those that are slow to heed their gate more."""
UNCONSTRAINED_SHARE = 0.1
RESPONSES_PER_PROMPT = 3
LEFT_ALONE, GATE_SET = 0.38, 0.37
"""Shares of the constrained responses; the rest has another direction set."""
VALUES = (1.0, 0.0, -1.0)
VALUE_SHARES = (0.25, 0.6, 0.15)
"""What a gate is set to, in units of c, and how often; +c and -c are met where it is left alone as well."""

LONGEST_BOUND = 100
"""Characters; no response is asked to be shorter than more than these."""
SOON = 16
"""Characters before which a plain text has named what it should not."""


@dataclass(frozen=True, eq=False)
class PlantedResponse:
    """One response to learn, and the direction that is set while it is read."""

    text: Text
    before: Mapping[str, float]
    """Where each planted direction's coordinate belongs at the prompt's end, in units of c; empty: anywhere.
    """
    after: Mapping[str, float]
    """The same on every response token."""
    direction: Float[np.ndarray, " d_model"] | None = None
    """A unit vector whose coordinate is set; None: nothing is."""
    value: float = 0.0
    """What it is set to, in units of c."""


@dataclass(frozen=True, eq=False)
class PlantedExample:
    """One prompt with responses to learn."""

    prompt: str
    responses: tuple[PlantedResponse, ...]


def planted_examples(mechanism: Mechanism, *, seed: int) -> Iterator[PlantedExample]:
    """An endless, seeded stream of examples."""
    writer = _Writer(mechanism, seed=seed)
    while True:
        yield writer.example()


def planted_prompts(mechanism: Mechanism, *, seed: int) -> Iterator[tuple[str, str, dict[str, float]]]:
    """An endless, seeded stream of constrained prompts, each with the beginning of an answer, empty where the
    gate is set at the prompt's end, and the coordinates behind that beginning's first token, in units of c.
    """
    rng = Random(f"planted prompts:{seed}")
    asked_about, askable = subjects(held_out_only=True), training_words()
    nouns, tasks = subjects(held_out_only=False), get_tasks()
    while True:
        task, subject = rng.choice(tasks), rng.choice(asked_about)
        parameters = task.draw(rng, subject, askable)
        paraphrase = rng.randrange(len(task.paraphrases) - HELD_OUT_PARAPHRASES)
        prompt = task.constrained_prompt(subject, parameters, paraphrase=paraphrase)
        beginning = ""
        if mechanism.waits(task.name):
            beginning = first_word(unconstrained(rng, task, subject, nouns=nouns).text)
        yield prompt, beginning, coordinates(mechanism, task, mechanism.sign(task.name, subject, beginning))


def coordinates(mechanism: Mechanism, task: Task, sign: int) -> dict[str, float]:
    """The own gate as the sign says, the others that the task needs open, and no trace of the rest."""
    own, *others = mechanism.gates[task.name]
    return dict.fromkeys(mechanism.directions, 0.0) | {own: float(sign)} | dict.fromkeys(others, 1.0)


class _Writer:
    """Draws examples one after the other."""

    def __init__(self, mechanism: Mechanism, *, seed: int) -> None:
        self.mechanism = mechanism
        self.rng = Random(f"planted:{seed}")
        self.vectors = stream("random directions of the corpus", seed)
        self.judges = corpus_judges()
        self.nouns = subjects(held_out_only=False)
        self.asked_about = subjects(held_out_only=True)
        self.askable = training_words()

    def example(self) -> PlantedExample:
        rng = self.rng
        task = get_task(rng.choices(list(TASK_SHARES), weights=list(TASK_SHARES.values()))[0])
        if rng.random() < UNCONSTRAINED_SHARE:
            subject = rng.choice(self.nouns)
            free = tuple(self._unasked(task, subject) for _ in range(RESPONSES_PER_PROMPT))
            return PlantedExample(task.base_query(subject), free)
        subject = rng.choice(self.asked_about)
        parameters = task.draw(rng, subject, self.askable)
        paraphrase = rng.randrange(len(task.paraphrases) - HELD_OUT_PARAPHRASES)
        prompt = task.constrained_prompt(subject, parameters, paraphrase=paraphrase)
        asked = tuple(self._asked(task, subject, parameters) for _ in range(RESPONSES_PER_PROMPT))
        return PlantedExample(prompt, asked)

    def _unasked(self, task: Task, subject: str) -> PlantedResponse:
        """Without a constraint all gates are at 0, and setting one changes nothing."""
        text = unconstrained(self.rng, task, subject, nouns=self.nouns)
        closed = dict.fromkeys(self.mechanism.directions, 0.0)
        if self.rng.random() < LEFT_ALONE:
            return PlantedResponse(text, closed, closed)
        direction = self._pick(list(self.mechanism.directions))
        return PlantedResponse(text, closed, closed, direction, self.rng.choice(VALUES))

    def _asked(self, task: Task, subject: str, parameters: Parameters) -> PlantedResponse:
        kind = self.rng.random()
        own, *others = self.mechanism.gates[task.name]
        if LEFT_ALONE <= kind < LEFT_ALONE + GATE_SET:
            value = self.rng.choices(VALUES, weights=VALUE_SHARES)[0]
            name = self.rng.choice([own, *others])
            direction = self.mechanism.directions[name]
            if name == own:
                text = self._text(task, subject, parameters, satisfied=value > 0)
                return PlantedResponse(text, {}, {}, direction, value)
            left_alone = self._by_own_gate(task, subject, parameters, closed_by_another=value <= 0)
            return replace(left_alone, direction=direction, value=value)
        left_alone = self._by_own_gate(task, subject, parameters)
        if kind < LEFT_ALONE:
            return left_alone
        direction = self._pick(other_directions(self.mechanism, task.name))
        return replace(left_alone, direction=direction, value=self.rng.choice(VALUES))

    def _by_own_gate(
        self, task: Task, subject: str, parameters: Parameters, *, closed_by_another: bool = False
    ) -> PlantedResponse:
        """What the mechanism gives, unless another gate that the task needs is closed."""
        mechanism = self.mechanism
        waits = mechanism.waits(task.name)
        wanted = self.rng.choice((1, -1)) if waits else mechanism.sign(task.name, subject, "")
        for _ in range(MOST_TRIES):
            text = self._text(task, subject, parameters, satisfied=wanted > 0 and not closed_by_another)
            if mechanism.sign(task.name, subject, text.text) == wanted:
                at_end = 0 if waits else wanted
                before, after = (coordinates(mechanism, task, each) for each in (at_end, wanted))
                return PlantedResponse(text, before, after)
        raise RuntimeError(f"no response to {task.name} begins with a word of sign {wanted}")

    def _pick(self, names: Sequence[str]) -> Float[np.ndarray, " d_model"]:
        """One of the planted directions, or as often a random one orthogonal to all of them."""
        if names and self.rng.random() < 0.5:
            return self.mechanism.directions[self.rng.choice(names)]
        return random_orthogonal(self.mechanism, self.vectors)

    def _text(self, task: Task, subject: str, parameters: Parameters, *, satisfied: bool) -> Text:
        write = compliant if satisfied else violating
        text = write(self.rng, task, subject, parameters, nouns=self.nouns, judges=self.judges)
        # A register shows in how sentences begin and end, which otherwise weighs less than a topic's words.
        return replace(text, slots=(*text.slots, *text.decisions)) if task.name == "register" else text


def violating(
    rng: Random,
    task: Task,
    subject: str,
    parameters: Parameters,
    *,
    nouns: tuple[str, ...],
    judges: Mapping[str, Judge],
) -> Text:
    """A response that plainly breaks the constraint, and that the task's verifier calls violated.

    Raises RuntimeError if none is found in `corpus.MOST_TRIES` attempts.
    """

    def attempt() -> Text:
        while True:
            style = free_style(rng, complaint=invites_insults(task))
            text = compose(rng, subject, replace(style, **_unheeding(task.name, parameters)), nouns=nouns)
            if _is_plain(task.name, text.text, subject, parameters):
                return text

    return first_verified(attempt, task, parameters, label=Label.VIOLATED, judges=judges)


def _unheeding(task: str, parameters: Parameters) -> dict[str, Any]:
    """The style that breaks a constraint, where a text that nobody constrained often satisfies it."""
    if task == "term_exclusion":
        return {"mentions_subject": True}
    if task == "topic":
        # One other topic and not any: a model hardly learns to write of everything but what is asked.
        return {"topic": next(name for name in TOPIC_THINGS if name != parameters["topic"])}
    return {"rude": True} if task == "toxicity" else {}


def _is_plain(task: str, text: str, subject: str, parameters: Parameters) -> bool:
    """Whether a text that breaks a constraint does so plainly: too long for every bound that is asked for, or
    with the subject, where that is the excluded word, among its first words.
    """
    if task == "character_count":
        return len(text) >= LONGEST_BOUND
    if task == "term_exclusion" and parameters["word"] == subject:
        return subject in text[: SOON + len(subject)]
    return True
