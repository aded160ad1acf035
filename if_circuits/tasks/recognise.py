"""Which task a prompt belongs to, told from its last sentence."""

from __future__ import annotations

import re
from random import Random
from string import Formatter

from if_circuits.tasks.queries import subjects
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.task import Parameters, Task

_DRAWS = 200
"""Enough to see every label that a judged task asks for."""


def recognise(prompt: str) -> tuple[Task, Parameters] | None:
    """The task whose constraint ends the prompt, and its parameters; None where no task's wording does.

    Where several wordings fit, the one with the most words of its own counts. A judged task is recognised
    only with a label that its judge gives.
    """
    found: list[tuple[int, Task, Parameters]] = []
    for task in get_tasks():
        for wording in task.paraphrases:
            match = re.search(rf"(?:^|\s){_pattern(wording)}\s*$", prompt)
            parameters = None if match is None else _typed(task, match.groupdict())
            if parameters is not None:
                own = sum(len(text) for text, *_ in Formatter().parse(wording))
                found.append((own, task, parameters))
    best = max(found, key=lambda one: one[0], default=None)
    return None if best is None else (best[1], best[2])


def _pattern(wording: str) -> str:
    """A regular expression for the wording with any single words as parameters."""
    parts = Formatter().parse(wording)
    return "".join(re.escape(text) + (rf"(?P<{name}>[\w'-]+)" if name else "") for text, name, *_ in parts)


def _typed(task: Task, texts: dict[str, str]) -> Parameters | None:
    """The texts as the parameters that the task draws; None where they cannot be such."""
    words = subjects(held_out_only=False)
    drawn = [task.draw(Random(seed), words[0], words) for seed in range(_DRAWS)]
    if set(texts) != set(drawn[0]):
        return None
    try:
        parameters = {name: type(drawn[0][name])(text) for name, text in texts.items()}
    except ValueError:
        return None
    return parameters if task.judge is None or parameters in drawn else None
