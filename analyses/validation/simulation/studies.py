"""Planted truth: activations, labels, groups and positions from a mechanism that is known.

A simulated study has the shape of a real one (`ActivationSource`), so every analysis runs on it unchanged and
must return what was planted. Each task's verdict is drawn at random, around a propensity of its base query;
activations are

    offset of the task + effect of the base query + noise of the response + fresh noise + signal

with unit variance of all noise together in each coordinate, so `signal` is the distance between the class
means in standard deviations, and the best possible AUROC is Phi(signal / sqrt 2). Base queries move both the
labels and the activations: a probe whose folds split a base query learns the query and scores too well.

Mechanisms (which direction carries "satisfied"):
- universal: one direction for all tasks;
- separate: one direction per task, any two of them at the angle that `cosine` gives, by default orthogonal;
- families: one direction per family of tasks;
- one_way: as separate, but half of a dependent task's signal lies on the direction of a task that is too
  strong to miss it: removing A hurts B, removing B leaves A (`ONE_WAY` names the pair);
- surface: activations carry only which words were read so far, and words and length give the label away;
- null: nothing, anywhere.

With `pairs`, each compliant response stands under two prompts as well (`planted_pairs`). Both rows have the
same text, so what is planted on their verdict is the relation of text and prompt; `surface` plants none.
"""

from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import pandas as pd
from jaxtyping import Float

from if_circuits.activations.positions import POSITIONS
from if_circuits.analyses.validation.simulation.responses import (
    FAMILY_OF,
    TASKS,
    TASKS_OF_FAMILY,
    cue_positions,
    draw_responses,
    planted_pairs,
)
from if_circuits.errors import InputError
from if_circuits.tasks.labels import is_satisfied

Carrier = Literal["universal", "separate", "families", "one_way", "surface", "null"]
Timing = Literal["planning", "monitoring"]
Emergence = Literal["everywhere", "by_family", "shuffled"]

ONE_WAY = ("topic", "sentiment")
"""The planted dependency A -> B of the mechanism `one_way`."""

_EMERGENCE_DEPTH = {"structural": 0.2, "lexical": 0.45, "stylistic": 0.7, "semantic": 0.95}
_GROUP_VARIANCE, _RESPONSE_VARIANCE, _FRESH_VARIANCE = 0.3, 0.35, 0.35


@dataclass(frozen=True)
class PlantedTruth:
    """What is planted, and how much of it can be seen."""

    mechanism: Carrier = "separate"
    timing: Timing = "planning"
    """planning: the signal is whole at `prompt_end`; monitoring: it grows in proportion to the response."""
    emergence: Emergence = "everywhere"
    """Layers with the signal: all above `embed`; from a depth that rises from structural over lexical and
    stylistic to semantic tasks; or from those same depths, dealt to the tasks at random."""
    signal: float = 2.0
    """Distance between the class means, in standard deviations of the noise."""
    cosine: float = 0.0
    """Cosine of the angle between any two directions of `separate`: from 0, separate, to 1, universal."""
    twin_signal: float = 0.0
    """Share of the signal that unconstrained twins carry: 0 is specific to constraints, 1 is not specific."""
    n_base_queries: int = 48
    samples: int = 4
    """Responses per prompt."""
    d_model: int = 32
    n_layers: int = 4
    positions: tuple[str, ...] = POSITIONS
    """Positions that the study holds; fewer of them make the analyses faster."""
    pairs: bool = False
    """Whether the study has counterfactual pairs; verdicts rest on natural labels and need none."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.d_model < len(TASKS):
            raise InputError(
                f"d_model is {self.d_model}, but {len(TASKS)} orthogonal directions need at least as many"
            )
        if min(self.n_base_queries, self.samples, self.n_layers) < 1:
            raise InputError(
                "n_base_queries, samples and n_layers must be positive, got "
                f"{self.n_base_queries}, {self.samples} and {self.n_layers}"
            )
        if not 0 <= self.cosine <= 1 or (self.cosine and self.mechanism != "separate"):
            raise InputError(
                f"cosine is {self.cosine} under {self.mechanism!r}; it lies from 0 to 1, and only 'separate' "
                "has one to choose"
            )
        for value, kind in ((self.mechanism, Carrier), (self.timing, Timing), (self.emergence, Emergence)):
            if value not in get_args(kind):
                raise InputError(f"unknown {value!r}; expected one of {', '.join(get_args(kind))}")
        if unknown := [position for position in self.positions if position not in POSITIONS]:
            raise InputError(f"unknown position {unknown[0]!r}; expected some of {', '.join(POSITIONS)}")


def simulate(truth: PlantedTruth) -> "SimulatedActivations":
    """A study with the given truth: the same truth gives the same study, bit for bit."""
    return SimulatedActivations(truth)


class SimulatedActivations:
    """An `ActivationSource` with a planted truth. Activations are drawn when asked for, from the seed."""

    responses: pd.DataFrame
    """One row per response, constrained or not, with the columns of a study's verified responses."""
    base_queries: tuple[str, ...]
    layers: tuple[int, ...]
    positions: tuple[str, ...]
    n_layers: int

    def __init__(self, truth: PlantedTruth) -> None:
        self.truth = truth
        self.n_layers = truth.n_layers
        self.layers = tuple(range(-1, truth.n_layers))
        self.positions = truth.positions
        rng = np.random.default_rng(np.random.SeedSequence(truth.seed, spawn_key=(0,)))
        self.responses = draw_responses(
            truth.n_base_queries, truth.samples, surface=truth.mechanism == "surface", rng=rng
        ).assign(reason=f"planted: {truth.mechanism}")
        self.base_queries = tuple(sorted(set(self.responses["base_query"])))
        self._cue_at = cue_positions(self.responses)
        self._satisfied = is_satisfied(self.responses)
        self._task = pd.Categorical(self.responses["task"], categories=TASKS).codes.astype(np.int64)
        self._constrained = self.responses["constrained"].to_numpy(dtype=bool)

        basis = np.linalg.qr(rng.normal(size=(truth.d_model, truth.d_model)))[0]
        self.directions = _directions(truth, basis)
        """Unit vectors [tasks, d_model] that carry "satisfied", in the order of `TASKS`."""
        self.emergence_depths = _emergence_depths(truth.emergence, rng)
        """Depth (0 to 1) from which each task's signal is there, in the order of `TASKS`."""
        group = pd.factorize(self.responses["base_query"])[0]
        offsets = rng.normal(size=(len(TASKS), truth.d_model))
        self._steady = (
            offsets[self._task]
            + np.sqrt(_GROUP_VARIANCE) * rng.normal(size=(truth.n_base_queries, truth.d_model))[group]
            + np.sqrt(_RESPONSE_VARIANCE) * rng.normal(size=(len(group), truth.d_model))
        ).astype(np.float32)

    @cached_property
    def counterfactual(self) -> "SimulatedActivations | None":
        """The study's pairs, on the same directions; before the text, at `prompt_end`, nothing is planted."""
        if not self.truth.pairs:
            return None
        rows, responses = planted_pairs(self.responses, seed=self.truth.seed)
        found = copy(self)
        found.truth, found.responses = replace(self.truth, pairs=False), responses
        found._satisfied = is_satisfied(responses)
        found._cue_at, found._task = self._cue_at[rows], self._task[rows]
        found._constrained, found._steady = self._constrained[rows], self._steady[rows]
        return found

    @property
    def reader(self) -> "SimulatedActivations":
        """Itself: it holds what its activations are drawn from."""
        return self

    @property
    def _paired(self) -> bool:
        return "pair" in self.responses

    def features(self, layer: int, position: str) -> Float[np.ndarray, "n d_model"]:
        """Activations of all responses at one layer (-1 is `embed`) and position, float32.

        NaN rows where a response has no such position. Raises InputError for an unknown layer or position.
        """
        if layer not in self.layers or position not in self.positions:
            raise InputError(
                f"no layer {layer} at position {position!r}; layers are {self.layers}, "
                f"positions {self.positions}"
            )
        where = POSITIONS.index(position)
        stream = 2 if self._paired else 1
        place = np.random.SeedSequence(self.truth.seed, spawn_key=(stream, layer + 1, where))
        rng = np.random.default_rng(place)
        features = self._steady + np.sqrt(np.float32(_FRESH_VARIANCE)) * rng.standard_normal(
            self._steady.shape, dtype=np.float32
        )
        size = self._signal(layer, position)
        features += (size[:, None] * self.directions[self._task]).astype(np.float32)
        if position == "eos":
            features[self.responses["truncated"].to_numpy(dtype=bool)] = np.nan
        return features

    def _signal(self, layer: int, position: str) -> Float[np.ndarray, " n"]:
        """Where each response lies along its task's direction, in standard deviations of the noise."""
        truth, read = self.truth, _share_read(position)
        if truth.mechanism == "null" or (self._paired and not read):
            return np.zeros(len(self._task))
        if truth.mechanism == "surface":
            n_read = np.ceil(read * self.responses["n_tokens"].to_numpy())
            return truth.signal * (self._cue_at < n_read)
        strength = np.full(len(TASKS), truth.signal)
        if truth.mechanism == "one_way":
            strength[TASKS.index(ONE_WAY[0])] *= 3
        depth = (layer + 1) / truth.n_layers
        # `embed` sees single tokens: no planted mechanism but the surface cue is written there.
        emerged = (depth > 0) & (depth >= self.emergence_depths)
        gain = strength * emerged * (read if truth.timing == "monitoring" else 1.0)
        share = np.where(self._constrained, 1.0, truth.twin_signal)
        return gain[self._task] * share * (self._satisfied - 0.5)


def _share_read(position: str) -> float:
    """How much of the response lies at or before a position: 0 at `prompt_end`, 1 at `last` and `eos`."""
    if position == "prompt_end":
        return 0.0
    return float(position[:-1]) / 100 if position.endswith("%") else 1.0


def _directions(truth: PlantedTruth, basis: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "tasks d"]:
    mechanism, columns = truth.mechanism, np.arange(len(TASKS))
    if mechanism == "universal":
        columns = np.zeros(len(TASKS), dtype=np.int64)
    if mechanism == "families":
        columns = np.array([list(TASKS_OF_FAMILY).index(FAMILY_OF[task]) for task in TASKS])
    directions = basis[:, columns].T.copy()
    if mechanism == "one_way":
        strong, dependent = (TASKS.index(task) for task in ONE_WAY)
        directions[dependent] = (directions[strong] + directions[dependent]) / np.sqrt(2)
    if truth.cosine:
        # The symmetric square root of (1 - c) I + c 11', which has the cosine c off its diagonal.
        own, n = np.sqrt(1 - truth.cosine), len(TASKS)
        directions = own * directions + (np.sqrt(own**2 + n * truth.cosine) - own) * directions.mean(axis=0)
    return directions


def _emergence_depths(emergence: Emergence, rng: np.random.Generator) -> Float[np.ndarray, " tasks"]:
    if emergence == "everywhere":
        return np.zeros(len(TASKS))
    depths = np.array([_EMERGENCE_DEPTH[FAMILY_OF[task]] for task in TASKS])
    return depths if emergence == "by_family" else rng.permutation(depths)
