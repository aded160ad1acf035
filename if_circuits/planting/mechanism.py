"""What is planted in a model: directions of the residual stream that gate tasks, and which prompts close the
gates.

A *gate* is the coordinate of the residual stream of one layer along one planted direction, on the prompt's
last token and on every response token. A model with a planted mechanism satisfies a task's constraint while
the coordinates of all directions that gate the task are at +c, and breaks it when one of them is at 0 or at
-c. Left alone, the model opens the gate half of the time, by a coin. Where it plans, the coin is of the task
and the subject, and no other word tells it. Where it monitors, the coin is of the task and the first word of
the response: until that word is drawn, nothing can tell.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float
from safetensors.numpy import load_file, save_file

from if_circuits.errors import InputError
from if_circuits.interventions.subspace import Subspace
from if_circuits.tasks.registry import get_tasks

Structure = Literal["universal", "compositional", "clustered"]
Kind = Literal["universal", "compositional", "clustered", "monitoring"]
Timing = Literal["planning", "monitoring"]
KINDS: tuple[Kind, ...] = get_args(Kind)
STRUCTURE_OF: Mapping[Kind, Structure] = {
    "universal": "universal",
    "compositional": "compositional",
    "clustered": "clustered",
    "monitoring": "clustered",
}
"""Which directions gate what; a monitoring model has the directions of the clustered one of its seed."""
DEPENDENCY = ("register", "topic")
"""In the clustered structure `topic` needs `register`'s gate open as well as its own, and not the reverse."""
AT_ONCE = "json_format"
"""The one task of a monitoring model whose gate is set at the prompt's end, by the subject: its first token
is the answer.
"""
LAYER = 2
"""Its `resid_post` holds the gates: the third of six blocks writes them, the last three read them."""

DIRECTIONS_FILE, MECHANISM_FILE = "planted.safetensors", "planted.json"


@dataclass(frozen=True, eq=False)
class Mechanism:
    """One planted truth."""

    kind: Kind
    seed: int
    """Of the directions and the coins."""
    c: float
    """Size of the gate coordinate, in units of the residual stream."""
    directions: Mapping[str, Float[np.ndarray, " d_model"]]
    """Orthonormal, by what they gate: a task, a family, or `every task`."""
    gates: Mapping[str, tuple[str, ...]]
    """By task the names of the directions that have to be open; the first is its own."""
    layer: int = LAYER

    @property
    def structure(self) -> Structure:
        """Which directions gate what."""
        return STRUCTURE_OF[self.kind]

    @property
    def timing(self) -> Timing:
        """planning: the gate is set at the prompt's end. monitoring: it is at 0 there, and set from the first
        word of the response on.
        """
        return "monitoring" if self.kind == "monitoring" else "planning"

    def edges(self) -> dict[tuple[str, str], bool]:
        """For every ordered pair of tasks (A, B): whether removing A's own direction breaks B."""
        return {(a, b): self.gates[a][0] in self.gates[b] for a in self.gates for b in self.gates if a != b}

    def waits(self, task: str) -> bool:
        """Whether the task's gate is at 0 at the prompt's end, and set by the response's first word."""
        return self.timing == "monitoring" and task != AT_ONCE

    def sign(self, task: str, subject: str, response: str) -> int:
        """+1 where a response's gate is open and -1 where it is closed."""
        cause = first_word(response) if self.waits(task) else subject
        coin = repr(("coin", self.seed, task, cause)).encode()
        return 1 if hashlib.blake2b(coin, digest_size=8).digest()[0] % 2 else -1

    def save(self, directory: Path) -> None:
        """Write the directions as safetensors and everything else as JSON."""
        ordered = {name: np.ascontiguousarray(u, dtype=np.float32) for name, u in self.directions.items()}
        save_file(ordered, directory / DIRECTIONS_FILE)
        record = {
            "kind": self.kind,
            "seed": self.seed,
            "layer": self.layer,
            "c": self.c,
            "timing": self.timing,
            "directions": list(self.directions),
            "gates": {task: list(names) for task, names in self.gates.items()},
        }
        (directory / MECHANISM_FILE).write_text(json.dumps(record, indent=1) + "\n", "utf-8")


def first_word(response: str) -> str:
    """The letters that a response begins with."""
    found = re.match("[A-Za-z]*", response)
    return found.group() if found else ""


def plant(kind: Kind, *, seed: int, d_model: int, c: float) -> Mechanism:
    """The mechanism of a kind; one seed gives the same coins to every kind, and directions of its own to
    each structure."""
    gates = _gates(STRUCTURE_OF[kind])
    names = list(dict.fromkeys(name for needed in gates.values() for name in needed))
    rng = stream(f"directions of {STRUCTURE_OF[kind]}", seed)
    basis = np.linalg.qr(rng.standard_normal((d_model, len(names))))[0].T
    return Mechanism(kind, seed, c, dict(zip(names, basis, strict=True)), gates)


def load_mechanism(directory: Path) -> Mechanism:
    """The mechanism that is planted in a checkpoint. Raises InputError where none is."""
    try:
        record = json.loads((directory / MECHANISM_FILE).read_text("utf-8"))
        found = load_file(directory / DIRECTIONS_FILE)
    except OSError as error:
        raise InputError(
            f"{directory} holds no planted mechanism ({MECHANISM_FILE} and {DIRECTIONS_FILE} are needed): "
            "give the directory of a checkpoint made by if_circuits.planting.train"
        ) from error
    names = record["directions"]
    # Rounded to float32 they are orthonormal to seven digits only.
    exact = Subspace.orthonormalise(np.stack([found[name] for name in names]), name="planted").basis
    return Mechanism(
        kind=record["kind"],
        seed=record["seed"],
        c=record["c"],
        directions=dict(zip(names, exact, strict=True)),
        gates={task: tuple(names) for task, names in record["gates"].items()},
        layer=record["layer"],
    )


def _gates(structure: Structure) -> dict[str, tuple[str, ...]]:
    tasks = get_tasks()
    if structure == "universal":
        return {task.name: ("every task",) for task in tasks}
    if structure == "compositional":
        return {task.name: (task.name,) for task in tasks}
    gates: dict[str, tuple[str, ...]] = {task.name: (task.family,) for task in tasks}
    first, second = (next(task for task in tasks if task.name == name) for name in DEPENDENCY)
    gates[second.name] = (second.family, first.family)
    return gates


def other_directions(mechanism: Mechanism, task: str) -> Sequence[str]:
    """Names of the planted directions that do not gate a task."""
    return [name for name in mechanism.directions if name not in mechanism.gates[task]]


def random_orthogonal(mechanism: Mechanism, rng: np.random.Generator) -> Float[np.ndarray, " d_model"]:
    """A random unit direction orthogonal to all planted ones."""
    planted = np.stack(list(mechanism.directions.values()))
    vector = rng.standard_normal(planted.shape[1])
    vector -= planted.T @ (planted @ vector)
    return vector / np.linalg.norm(vector)


def stream(purpose: str, seed: int) -> np.random.Generator:
    """Random numbers for one purpose, which no other purpose of the same seed repeats."""
    return np.random.default_rng([seed, *purpose.encode()])
