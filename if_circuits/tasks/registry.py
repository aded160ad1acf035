"""The registry of tasks: the nine tasks of the study, and those that others add."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from string import Formatter
from typing import Any, TypeVar

from if_circuits.errors import InputError
from if_circuits.registry import Arguments, Registry, calling_module
from if_circuits.tasks.task import NOTE, Draw, Exchange, NearestBounds, Opposite, Parameters, Task
from if_circuits.tasks.verifiers import verifier_of

FAMILIES = ("structural", "lexical", "semantic", "stylistic")
"""The families of the study's own tasks, in the order of tables and figures, and the modules they are in."""

Check = TypeVar("Check", bound=Callable[..., object])

tasks: Registry[Task] = Registry(
    "task",
    group="if_circuits.tasks",
    modules=[f"if_circuits.tasks.families.{family}" for family in FAMILIES],
    expects="a function under @task, or an if_circuits.tasks.task.Task",
    adapt=lambda _, value: value if isinstance(value, Task) else None,
)


def task(
    name: str,
    *,
    family: str,
    paraphrases: Sequence[str],
    draw: Mapping[str, Sequence[Any]] | Draw | None = None,
    judge: str | None = None,
    request: str = NOTE,
    counterfactual: Exchange | NearestBounds | Opposite | None = None,
) -> Callable[[Check], Check]:
    """Make a task of the function below: it says whether a response satisfies the constraint.

    The function gets the response and, by keyword, the parameters. It returns True or False, or a `Label`,
    alone or with a reason. With `judge` it gets what that judge says of the response, a `Judgement`.

    Args:
        name: What a study calls the task.
        family: A family of tasks, ours or another.
        paraphrases: Wordings of the constraint; `{word}` stands for the parameter `word`.
        draw: What the parameters are drawn from, by name; or a function of a random generator, the subject
            and the words at hand, which returns them. None for a constraint without parameters.
        judge: The judge that reads the responses, if one does.
        request: The base query; `{subject}` stands for what to write about.
        counterfactual: How one response comes to stand under a prompt that it satisfies and under one that it
            violates. By default parameters are exchanged between prompts.

    Raises:
        InputError: The name is taken, or function, parameters and wordings do not fit together.

    Example:
        >>> @task(
        ...     "starts_with", family="lexical", draw={"word": ["yes", "no"]},
        ...     paraphrases=["Begin with the word {word}."],
        ... )
        ... def starts_with(response: str, *, word: str) -> bool:
        ...     return response.lower().startswith(word)
        >>> starts_with("Yes, it rains.", word="yes")
        True
        >>> get_task("starts_with").family
        'lexical'
    """
    origin = calling_module()

    def add(check: Check) -> Check:
        try:
            _check_fit(check, paraphrases, draw, request, judge)
        except InputError as error:
            raise InputError(f"task {name!r} of {origin}: {error}") from error
        made = Task(
            name=name,
            family=family,
            draw=_drawing(draw),
            paraphrases=tuple(paraphrases),
            verify=verifier_of(check, judge=judge),
            request=request,
            judge=judge,
            counterfactual=counterfactual or Exchange(),
        )
        tasks.add(name, made, origin=origin, source=check)
        return check

    return add


def get_tasks(names: Iterable[str] | None = None) -> tuple[Task, ...]:
    """The tasks with the given names, in that order; the study's own nine by default.

    Others' tasks are named: what is installed beside this library must not change a study. Raises InputError
    for a name that no task has.
    """
    if names is None:
        own = [tasks.get(name) for name in tasks.built_in()]
        return tuple(sorted(own, key=lambda one: FAMILIES.index(one.family)))
    return tuple(tasks.get(name) for name in dict.fromkeys(names))


def get_task(name: str) -> Task:
    """The task with this name. Raises InputError if there is none."""
    return tasks.get(name)


def _drawing(draw: Mapping[str, Sequence[Any]] | Draw | None) -> Draw:
    if callable(draw):
        return draw
    choices = dict(draw or {})

    def choose(rng: Random, subject: str, words: Sequence[str]) -> Parameters:
        del subject, words
        return {name: rng.choice(values) for name, values in choices.items()}

    return choose


def _check_fit(
    check: Callable[..., object],
    paraphrases: Sequence[str],
    draw: Mapping[str, Sequence[Any]] | Draw | None,
    request: str,
    judge: str | None,
) -> None:
    """Raise InputError unless the function takes what is drawn, and the wordings name nothing else."""
    if isinstance(paraphrases, str) or not paraphrases:
        raise InputError(f"paraphrases are {paraphrases!r}; expected a list of one wording or more")
    if _fields(request) != {"subject"}:
        raise InputError(f"the request is {request!r}; expected a wording with {{subject}} and nothing else")
    arguments = Arguments.of(check, positional=["response" if judge is None else "judgement"])
    named = set[str]().union(*map(_fields, paraphrases))
    if callable(draw):  # what it draws is known when it is called
        drawn = named
    else:
        drawn = set(draw or {})
        arguments.check_required(sorted(drawn))
        if empty := [name for name, values in (draw or {}).items() if not len(values)]:
            raise InputError(f"there is nothing to draw {', '.join(empty)} from")
        if missing := sorted(named - drawn):
            raise InputError(
                f"a paraphrase names {', '.join(missing)}, which nothing draws; "
                f"give draw={{{missing[0]!r}: [...]}}"
            )
    if refused := sorted(drawn - set(arguments.accepted(**dict.fromkeys(drawn)))):
        raise InputError(
            f"its function does not take {', '.join(refused)}; add it to the arguments after `*`"
        )


def _fields(wording: str) -> set[str]:
    return {name for _, name, *_ in Formatter().parse(wording) if name}
