"""IFEval's prompts (Zhou et al. 2023) as prompts of a study, for the kinds of instruction that tasks verify.

A file has one JSON object a line, with `key`, `prompt`, `instruction_id_list` and `kwargs`, as its authors
publish it. A prompt is a base query of its own; each of its verified instructions is a row, under the task
that verifies it. Other instructions of a prompt stay in its text and are not verified. IFEval has no
unconstrained twins, so there are none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pandas as pd

from if_circuits.errors import InputError
from if_circuits.tasks.registry import get_task
from if_circuits.tasks.task import Parameters

_EXPECTED = "one JSON object a line with key, prompt, instruction_id_list and kwargs"


@dataclass(frozen=True)
class _Kind:
    """The task that verifies a kind of instruction, and how its arguments are called there."""

    task: str
    parameters: Callable[[Mapping[str, Any]], Parameters]
    """Raises KeyError, TypeError or ValueError for arguments that it cannot read."""
    arguments: str
    """What the kind takes, for error messages."""


def _word_count(arguments: Mapping[str, Any]) -> Parameters:
    relation, n = arguments["relation"], arguments["num_words"]
    if relation not in ("at least", "less than") or not isinstance(n, int) or n < 0:
        raise ValueError
    return {"n": n, "relation": relation}


def _words(name: str) -> Callable[[Mapping[str, Any]], Parameters]:
    def parameters(arguments: Mapping[str, Any]) -> Parameters:
        words = arguments[name]
        if not isinstance(words, list) or not words:
            raise ValueError
        if not all(isinstance(word, str) and word.strip() for word in cast(list[Any], words)):
            raise ValueError
        return {"words": words}

    return parameters


KINDS: Mapping[str, _Kind] = {
    "length_constraints:number_words": _Kind(
        "word_count", _word_count, "relation ('at least' or 'less than') and num_words"
    ),
    "detectable_format:json_format": _Kind("json_format", lambda _: {}, "nothing"),
    "keywords:existence": _Kind("term_inclusion", _words("keywords"), "keywords, a list of words"),
    "keywords:forbidden_words": _Kind(
        "term_exclusion", _words("forbidden_words"), "forbidden_words, a list of words"
    ),
}
"""The kinds that are verified, by IFEval's names."""


def prompts_digest(path: Path) -> str:
    """SHA-256 of a file of prompts. Raises InputError when it cannot be read."""
    return hashlib.sha256(_content(path)).hexdigest()


def read_ifeval(path: Path, *, tasks: Iterable[str] | None = None) -> pd.DataFrame:
    """The constrained prompts of a file in IFEval's format, in the columns of `build_prompts`.

    Only instructions that one of `tasks` verifies, by default any of `KINDS`. Raises InputError for a line
    that is not as it should be, and when nothing is left.
    """
    wanted = None if tasks is None else frozenset(tasks)
    try:
        lines = _content(path).decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8; expected {_EXPECTED}") from error
    rows: list[dict[str, Any]] = []
    line_of_key: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        record = _record(line, where)
        first = line_of_key.setdefault(str(record["key"]), number)
        if first != number:
            raise InputError(
                f"{where}: key {record['key']} stands in line {first} already; expected unique keys"
            )
        rows.extend(row for row in _rows(record, where) if wanted is None or row["task"] in wanted)
    absent = sorted((wanted or set()) - {row["task"] for row in rows})
    if absent or not rows:
        missing = f"has no instruction that {', '.join(absent)} verifies" if absent else "has none to verify"
        kinds = ", ".join(f"{kind} ({each.task})" for kind, each in KINDS.items())
        raise InputError(f"{path} {missing}; verified are {kinds}")
    return pd.DataFrame(rows)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"prompts {path} cannot be read: {error.strerror}; expected a file with {_EXPECTED}"
        ) from error


def _record(line: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{where}: not JSON ({error}); expected {_EXPECTED}") from error
    if not isinstance(record, dict):
        raise InputError(f"{where}: a JSON {type(record).__name__}; expected {_EXPECTED}")
    record = cast(dict[str, Any], record)
    fields: Mapping[str, tuple[type | tuple[type, ...], str]] = {
        "key": ((int, str), "a number or a string"),
        "prompt": (str, "a string"),
        "instruction_id_list": (list, "a list of strings"),
        "kwargs": (list, "a list of objects"),
    }
    for name, (kind, description) in fields.items():
        if name not in record:
            raise InputError(f"{where}: {name!r} is missing; expected {_EXPECTED}")
        if not isinstance(record[name], kind):
            raise InputError(f"{where}: {name!r} is {record[name]!r}; expected {description}")
    if not record["prompt"].strip():
        raise InputError(f"{where}: 'prompt' is empty; expected what the model is asked")
    if len(record["instruction_id_list"]) != len(record["kwargs"]):
        raise InputError(
            f"{where}: {len(record['instruction_id_list'])} instructions and {len(record['kwargs'])} kwargs; "
            "expected one object of kwargs for each instruction"
        )
    return record


def _rows(record: Mapping[str, Any], where: str) -> Iterator[dict[str, Any]]:
    names: dict[str, int] = {}
    for instruction, arguments in zip(record["instruction_id_list"], record["kwargs"], strict=True):
        kind = KINDS.get(instruction) if isinstance(instruction, str) else None
        if kind is None:
            continue
        try:
            parameters = kind.parameters(arguments)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{where}: {instruction} has kwargs {arguments!r}; expected {kind.arguments}"
            ) from error
        names[kind.task] = names.get(kind.task, 0) + 1
        identity = f"{kind.task}/ifeval-{record['key']}"
        yield {
            "prompt_id": identity if names[kind.task] == 1 else f"{identity}/{names[kind.task]}",
            "task": kind.task,
            "family": get_task(kind.task).family,
            "base_query": f"ifeval-{record['key']}",
            "paraphrase": 0,
            "parameters": json.dumps(parameters, sort_keys=True),
            "constrained": True,
            "prompt": record["prompt"],
        }
