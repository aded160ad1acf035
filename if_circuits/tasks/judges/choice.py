"""Which judge judges what: the default of each property, and the ones that a user names instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from if_circuits.errors import InputError
from if_circuits.tasks.judges.base import Judge
from if_circuits.tasks.judges.hugging_face import PREFIX, HuggingFaceJudge
from if_circuits.tasks.judges.registry import judges

DEFAULT_JUDGES: Mapping[str, str] = {
    "topic": "topic-lexicon",
    "sentiment": "opinion-terms",
    "toxicity": "hostility-terms",
    "register": "register-lexicon",
}
"""The best offline judge of each property, by measurement where there are human labels."""


def default_judges() -> Mapping[str, Judge]:
    """The offline judges, by the property that they judge."""
    return choose_judges(DEFAULT_JUDGES)


def choose_judges(properties: Iterable[str], chosen: Iterable[tuple[str, str]] = ()) -> Mapping[str, Judge]:
    """A judge for each of the properties: the one chosen for it, else the default.

    A judge is chosen by its registered name, or as `hf:NAME` for a Hugging Face classifier. A property
    without a default is judged by the registered judge of the same name, as tasks that others add may want.
    Raises InputError for a judge that cannot be had.
    """
    return {name: _make(name, judge) for name, judge in judge_names(properties, chosen).items()}


def judge_names(properties: Iterable[str], chosen: Iterable[tuple[str, str]] = ()) -> Mapping[str, str]:
    """What `choose_judges` would make, by name."""
    names = {**DEFAULT_JUDGES, **dict(chosen)}
    return {name: names.get(name, name) for name in properties}


def check_choice(properties: Iterable[str], chosen: Iterable[tuple[str, str]]) -> None:
    """Raise InputError when a judge is chosen for what no task asks about, or two for the same."""
    known = sorted(set(properties))
    seen: set[str] = set()
    for name, judge in chosen:
        if name not in known:
            raise InputError(
                f"judge {judge!r} is chosen for {name!r}, which none of the study's tasks has judged; "
                f"expected one of {', '.join(known) or 'none, since all are verified exactly'}"
            )
        if name in seen:
            raise InputError(f"two judges are chosen for {name!r}; name one")
        seen.add(name)


def _make(name: str, judge: str) -> Judge:
    if judge.startswith(PREFIX):
        return HuggingFaceJudge.load(judge, property_name=name)
    return judges.get(judge)()
