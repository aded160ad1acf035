"""An answer that the monitor's page saved, read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Float

from if_circuits.errors import InputError

FORMAT = 1


@dataclass(frozen=True, eq=False)
class SavedAnswer:
    """One of the answers of a saved file."""

    name: str
    """intact or changed."""
    text: str
    tokens: tuple[str, ...]
    """The pieces of the text, after an empty one for the prompt's end."""
    readings: Float[np.ndarray, "tokens layers tasks"]
    """Probability of satisfied at each token."""
    words: Float[np.ndarray, "tokens tasks"]
    """The same from the words alone."""
    verdict: Mapping[str, str] | None
    """label and reason; None where the answer was stopped or the prompt has no constraint."""


@dataclass(frozen=True, eq=False)
class Saved:
    """A question and what came of it."""

    model: str
    prompt: str
    task: str | None
    parameters: Mapping[str, Any] | None
    asked: Mapping[str, Any]
    """Prompt, switches, temperature, seed and length, as they were sent."""
    tasks: tuple[str, ...]
    layers: tuple[int, ...]
    answers: tuple[SavedAnswer, ...]
    calibration: Mapping[str, Any]
    aurocs: Mapping[str, float | None]


def read_saved(path: str | Path) -> Saved:
    """What the monitor's button “Save as JSON” wrote. Raises InputError for any other file."""
    try:
        given = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as an answer that the monitor saved: {error}") from error
    if not isinstance(given, dict) or cast("dict[str, Any]", given).get("format") != FORMAT:
        raise InputError(f"{path} is no answer that the monitor saved: it lacks format {FORMAT}")
    found = cast("dict[str, Any]", given)
    events: list[dict[str, Any]] = found["events"]
    start = next((event for event in events if event["event"] == "start"), None)
    if start is None:
        raise InputError(f"{path} holds no answer: the model had not begun")
    end = next((event for event in events if event["event"] == "end"), None)
    tasks, layers = tuple(map(str, found["tasks"])), tuple(map(int, found["layers"]))
    answers: list[SavedAnswer] = []
    for number, name in enumerate(start["answers"]):
        tokens = [token for event in events if event["event"] == "tokens" for token in event["rows"][number]]
        shape = (len(layers), len(tasks))
        answers.append(
            SavedAnswer(
                name=str(name),
                text="".join(token["text"] for token in tokens),
                tokens=tuple(token["text"] for token in tokens),
                readings=np.array(
                    [token.get("readings") or np.full(shape, np.nan) for token in tokens]
                ).reshape(len(tokens), *shape),
                words=np.array([token["words"] for token in tokens]).reshape(len(tokens), len(tasks)),
                verdict=None if end is None else end["answers"][number]["verdict"],
            )
        )
    return Saved(
        model=str(found["model"]),
        prompt=str(start["asked"]["prompt"]),
        task=start["task"],
        parameters=start["parameters"],
        asked=start["asked"],
        tasks=tasks,
        layers=layers,
        answers=tuple(answers),
        calibration=found["calibration"],
        aurocs=found["aurocs"],
    )
