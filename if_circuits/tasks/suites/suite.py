"""What a suite is: base queries, and for every task the grades of its constraint.

A *grade* is how hard a constraint is, such as at most 60 words against exactly 8. It draws parameters, words
the constraint, and says how its counterfactual pairs are made. Verifiers know nothing of grades: a parameter
means the same in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from if_circuits.errors import InputError
from if_circuits.tasks.task import NOTE, Exchange, NearestBounds, Opposite, Parameters, Task, constraint


@dataclass(frozen=True)
class BaseQuery:
    """What to write about, without a constraint; the group of every split and bootstrap."""

    name: str
    kind: str
    """What is to be written, such as a story or a letter."""
    subject: str
    """One word that a request about it would name."""
    request: str
    provoking: str = ""
    """A request about the same subject that invites insults."""
    words: tuple[str, ...] = ()
    """Words that would fit in, and that the request does not name."""
    topic: str = ""
    """A topic near the request, among those that the judge of topics knows."""


Draw = Callable[[Random, BaseQuery], Parameters]
"""Draws parameters for a constraint on the answer to a base query."""


def own_request(query: BaseQuery) -> str:
    """The base query's request as it stands."""
    return query.request


@dataclass(frozen=True)
class Grade:
    """One grade of one task's constraint."""

    name: str
    """Empty for the only grade of a task that has no others."""
    draw: Draw
    paraphrases: tuple[str, ...]
    """Wordings of the constraint; `{name}` stands for a parameter, a list for its items in quotes."""
    counterfactual: Exchange | NearestBounds | Opposite = field(default_factory=Exchange)
    request: Callable[[BaseQuery], str] = own_request
    """The unconstrained request; tasks that take the same one share its answers."""

    def prompt(self, query: BaseQuery, parameters: Parameters, *, paraphrase: int) -> str:
        """The request followed by the constraint in one of its wordings."""
        return f"{self.request(query)} {constraint(self.paraphrases[paraphrase], parameters)}"


@dataclass(frozen=True)
class Suite:
    """Base queries and graded constraints that a study draws from."""

    name: str
    queries: tuple[BaseQuery, ...]
    grades: Mapping[str, tuple[Grade, ...]] = field(default_factory=dict[str, tuple[Grade, ...]])
    """By task. Every other task has one grade without a name: its own parameters and wordings."""
    held_out: tuple[str, ...] | None = None
    """Base queries that this project's own models never saw in training; None where they saw none at all."""
    answered_once: bool = False
    """Whether an unconstrained request is answered once for all tasks that share it."""
    piloted: bool = False
    """Whether a pilot chooses the grades of a study."""

    def grades_of(self, task: Task) -> tuple[Grade, ...]:
        """The grades of a task, from the easiest to the hardest as far as that can be said beforehand."""
        return self.grades.get(task.name) or (self._own_grade(task),)

    def grade(self, task: Task, name: str) -> Grade:
        """A task's grade by name. Raises InputError for a name that none has."""
        grades = self.grades_of(task)
        for each in grades:
            if each.name == name:
                return each
        raise InputError(
            f"{task.name} has no grade {name!r} in the {self.name} suite; it has "
            f"{', '.join(repr(each.name) for each in grades)}"
        )

    def query(self, name: str) -> BaseQuery:
        """A base query by name. Raises InputError for a name that none has."""
        found = self._by_name().get(name)
        if found is None:
            raise InputError(
                f"the {self.name} suite has no base query {name!r}, such as {self.queries[0].name!r}"
            )
        return found

    def draw(self, n: int, *, seed: int, held_out_only: bool = False) -> tuple[BaseQuery, ...]:
        """A seeded sample of base queries without replacement.

        Raises InputError if more are asked for than there are.
        """
        available = self.available(held_out_only=held_out_only)
        if not 1 <= n <= len(available):
            raise InputError(f"{n} base queries asked for; between 1 and {len(available)} can be had")
        return tuple(Random(f"subjects:{seed}").sample(available, n))

    def available(self, *, held_out_only: bool = False) -> tuple[BaseQuery, ...]:
        """All base queries; of a suite that this project's models were trained on, only the held-out ones."""
        if held_out_only and self.held_out is not None:
            return tuple(map(self.query, self.held_out))
        return self.queries

    def subjects(self) -> Sequence[str]:
        """What all base queries are about: the words at hand for tasks that draw from words."""
        return tuple(dict.fromkeys(query.subject for query in self.queries))

    def _by_name(self) -> Mapping[str, BaseQuery]:
        return {query.name: query for query in self.queries}

    def _own_grade(self, task: Task) -> Grade:
        words = self.subjects()
        asks_for_a_note = task.request == NOTE
        return Grade(
            "",
            draw=lambda rng, query: task.draw(rng, query.subject, words),
            paraphrases=task.paraphrases,
            counterfactual=task.counterfactual,
            request=own_request if asks_for_a_note else lambda query: task.base_query(query.subject),
        )
