"""Which task a prompt belongs to, told from its last sentence."""

from __future__ import annotations

import re
from itertools import product
from random import Random
from string import Formatter

from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.suites.choice import CONTROLLED, OPEN, get_suite
from if_circuits.tasks.suites.suite import Grade, Suite
from if_circuits.tasks.task import Parameters, Task

_DRAWS = 200
"""Enough to see every label that a judged task asks for."""
_QUOTED = re.compile(r'"([^"]+)"')
_VALUE = r"""[\w'-]+|"[^"]+"(?:, "[^"]+")*(?: and "[^"]+")?"""


def recognise(prompt: str) -> tuple[Task, Parameters] | None:
    """The task whose constraint ends the prompt, and its parameters; None where no task's wording does.

    Where several wordings fit, the one with the most words of its own counts. A judged task is recognised
    only with a label that its judge gives.
    """
    found: list[tuple[int, Task, Parameters]] = []
    suites = [get_suite(name) for name in (CONTROLLED, OPEN)]
    for task, suite in product(get_tasks(), suites):
        for grade, wording in (
            (grade, text) for grade in suite.grades_of(task) for text in grade.paraphrases
        ):
            match = re.search(rf"(?:^|\s){_pattern(wording)}\s*$", prompt)
            parameters = None if match is None else _typed(task, grade, suite, match.groupdict())
            if parameters is not None:
                own = sum(len(text) for text, *_ in Formatter().parse(wording))
                found.append((own, task, parameters))
    best = max(found, key=lambda one: one[0], default=None)
    return None if best is None else (best[1], best[2])


def _pattern(wording: str) -> str:
    """A regular expression for the wording with single words, or words in quotes, as parameters."""
    parts = Formatter().parse(wording)
    return "".join(re.escape(text) + (rf"(?P<{name}>{_VALUE})" if name else "") for text, name, *_ in parts)


def _typed(task: Task, grade: Grade, suite: Suite, texts: dict[str, str]) -> Parameters | None:
    """The texts as the parameters that the grade draws; None where they cannot be such.

    What a wording does not name, such as the relation of a bound, is what the grade always draws.
    """
    drawn = [grade.draw(Random(seed), suite.queries[seed % len(suite.queries)]) for seed in range(_DRAWS)]
    usual = drawn[0]
    unnamed = set(usual) - set(texts)
    if set(texts) - set(usual) or any(each[name] != usual[name] for each in drawn for name in unnamed):
        return None
    try:
        named = {name: _read(text, type(usual[name])) for name, text in texts.items()}
    except ValueError:
        return None
    parameters = {name: named.get(name, usual[name]) for name in usual}
    return parameters if task.judge is None or parameters in drawn else None


def _read(text: str, kind: type) -> object:
    """A parameter from its text in a prompt. Raises ValueError where it is none of the kind."""
    if kind is list:
        return _QUOTED.findall(text)
    if text.startswith('"'):
        raise ValueError(text)
    return kind(text)
