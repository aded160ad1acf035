"""Which judge judges what: the default of each property, and the ones that a user names instead."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from if_circuits.errors import InputError
from if_circuits.models.presets import ModelPreset
from if_circuits.tasks.judges.base import Judge
from if_circuits.tasks.judges.encoder import encoder_directory
from if_circuits.tasks.judges.hugging_face import PREFIX, HuggingFaceJudge
from if_circuits.tasks.judges.registry import judges

DEFAULT_JUDGES: Mapping[str, str] = {
    "topic": "topic-lexicon",
    "sentiment": "opinion-terms",
    "toxicity": "hostility-terms",
    "register": "register-lexicon",
}
"""The judge of each property that needs nothing installed beside this library."""

ENCODER_JUDGES: Mapping[str, str] = {
    "topic": "topic-encoder",
    "sentiment": "sentiment-encoder",
    "toxicity": "toxicity-encoder",
    "register": "register-encoder",
}
"""The best offline judge of each property, by measurement on human labels; the extra `judges` brings them."""

_logger = logging.getLogger(__name__)


def open_judges(properties: Iterable[str] = tuple(ENCODER_JUDGES)) -> tuple[tuple[str, str], ...]:
    """The judges of open text, as (property, judge): those on the encoder where it is installed.

    Without it the word lists judge, and a warning says what that costs. `RunSettings.judges` takes the pairs.

    Example:
        >>> from if_circuits.tasks.judges import open_judges
        >>> [what for what, judge in open_judges(["register", "topic"])]
        ['register', 'topic']
    """
    asked = [name for name in properties if name in ENCODER_JUDGES]
    if encoder_directory() is not None:
        return tuple((name, ENCODER_JUDGES[name]) for name in asked)
    if asked:
        _logger.warning(
            "%s judged by word lists, which leave most open text undecided or wrong (docs/judges.md): "
            "install better judges with pip install 'if-circuits[judges]'",
            ", ".join(asked) + (" is" if len(asked) == 1 else " are"),
        )
    return tuple((name, DEFAULT_JUDGES[name]) for name in asked)


def usual_judges(
    preset: ModelPreset,
    properties: Iterable[str],
    *,
    chosen: Iterable[tuple[str, str]] = (),
    suite: str | None = None,
) -> tuple[tuple[str, str], ...]:
    """Who judges a model's responses, as (property, judge): the user's choice, the preset's, or the best.

    The best are `open_judges`, for a model or study (`suite`) of the open suite; the controlled suite keeps
    the word lists that its texts were written by.

    Example:
        >>> from if_circuits.models.presets import ModelPreset
        >>> preset = ModelPreset("mine", "mine", "Of my own.", judges=(("sentiment", "vader"),))
        >>> usual_judges(preset, ["sentiment", "topic"], chosen=[("topic", "topic-lexicon")])
        (('sentiment', 'vader'), ('topic', 'topic-lexicon'))
    """
    named = {**dict(preset.judges), **dict(chosen)}
    if (suite or preset.suite) != "open":
        return tuple(named.items())
    return tuple({**dict(open_judges(name for name in properties if name not in named)), **named}.items())


def second_judges(judges: Mapping[str, str]) -> Mapping[str, str]:
    """To each judge, by property, another that is made in another way: word lists beside an encoder.

    A property is missing where there is no other judge, or where it is not installed.

    Example:
        >>> second_judges({"toxicity": "toxicity-encoder", "mood": "thermometer"})
        {'toxicity': 'hostility-terms'}
    """
    installed = encoder_directory() is not None
    found: dict[str, str] = {}
    for name, first in judges.items():
        if name in DEFAULT_JUDGES and first != DEFAULT_JUDGES[name]:
            found[name] = DEFAULT_JUDGES[name]
        elif name in ENCODER_JUDGES and installed:
            found[name] = ENCODER_JUDGES[name]
    return found


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
