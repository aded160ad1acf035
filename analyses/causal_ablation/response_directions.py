"""What behaviour removes and adds: each task's subspace along the response, at every layer.

A hook acts on every token that is written, so what it removes is fitted on tokens along the whole response
and not at its end alone: each response counts as the mean over its positions (of what is left when the
position's own mean is taken off).

- Removed, unless the settings name another erasure method, is the difference of the means of satisfied and
  violated responses. Unlike the directions of a discriminant, it is where the two classes differ, not what
  tells them apart best. It has rank one at every layer, so all tasks share their random controls; tasks whose
  subspaces differ in rank have controls of their own.
- Added is always the difference in means: only a vector has a length to step by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.shared.labelled_tasks import LabelledTask, labelled_tasks, query_halves
from if_circuits.analyses.shared.task_subspaces import (
    POSITION,
    fit_task_subspaces,
    response_features,
    within_class_residuals,
)
from if_circuits.erasure.base import EraserMethod
from if_circuits.erasure.difference_in_means import DifferenceInMeans
from if_circuits.erasure.random_subspace import captured_variance, random_subspace, variance_matched_subspaces
from if_circuits.errors import InputError
from if_circuits.interventions.hooks import Intervention
from if_circuits.interventions.operations import Add, ProjectOut
from if_circuits.interventions.subspace import Subspace
from if_circuits.threads import one_thread

ALONG_RESPONSE = ("10%", "30%", "50%", "70%", "90%", "last", "eos")
"""Positions that directions are fitted on, of those that were captured."""
BACKGROUND = ("30%", "70%", "last")
"""Positions whose variation random directions are matched in."""
MOST_MATCHED = 0.8
"""Share of the largest variance along one direction that random directions may be asked to take."""


@dataclass(frozen=True, eq=False)
class ResponseDirections:
    """What one half of the base queries fitted, by layer."""

    half: int
    layers: tuple[int, ...]
    """From the first block on, in rising order."""
    method: str
    """Name of the erasure method that fitted what is removed."""
    subspaces: Mapping[str, Mapping[int, Subspace]]
    """What is removed, by task and layer, centred on `centres`; a task without enough labels has none."""
    differences: Mapping[str, Float[np.ndarray, "layers d"]]
    """Mean of satisfied minus mean of violated responses, by task: what is added."""
    reasons: Mapping[str, str]
    """Why a task has none."""
    centres: Float[np.ndarray, "layers d"]
    """Mean over positions and constrained responses of all tasks: what removed coordinates are set to."""
    backgrounds: tuple[Float[np.ndarray, "n d"], ...]
    """Activations about the mean of their task, class and position, by layer."""

    def removal(self, task: str, *, start: int) -> list[Intervention]:
        """Project the task's subspace out at every layer from `start` on."""
        return _project_out({layer: self.subspaces[task][layer] for layer in self._from(start)})

    def ranks(self, task: str, *, start: int) -> tuple[int, ...]:
        """Ranks of the task's removal, by layer."""
        return tuple(self.subspaces[task][layer].rank for layer in self._from(start))

    def pools(self, *, start: int) -> list[tuple[str, ...]]:
        """The tasks; those whose removals have the same ranks are together, and share random controls."""
        found: dict[tuple[int, ...], list[str]] = {}
        for task in self.subspaces:
            found.setdefault(self.ranks(task, start=start), []).append(task)
        return [tuple(tasks) for tasks in found.values()]

    def controls(
        self, kind: str, tasks: Sequence[str], *, start: int, n: int, seed: int
    ) -> list[list[Intervention]]:
        """n random removals ("gaussian" or "variance_matched") of the ranks that all `tasks` have.

        Matched ones take away as much variance as the task's subspace that takes most, at each layer: a
        control for all tasks that is too lenient for none. They are orthogonal to the tasks' own subspaces:
        where a mechanism is what varies most, all that takes as much variance would otherwise be that
        mechanism, and be its own control. Where nothing else varies as much, they take `MOST_MATCHED` of what
        can be had.
        """
        found: dict[int, list[Subspace]] = {}
        for layer, rank in zip(self._from(start), self.ranks(tasks[0], start=start), strict=True):
            i = self.layers.index(layer)
            # Other numbers at each layer: the same direction all the way up would not be a random one.
            own = seed + 1000 * (i + 1)
            found[layer] = [random_subspace(rank, mean=self.centres[i], seed=own + draw) for draw in range(n)]
            if kind == "variance_matched" and rank:
                found[layer] = self._matched(layer, tasks, n=n, seed=own) or found[layer]
        return [_project_out({layer: draws[i] for layer, draws in found.items()}) for i in range(n)]

    def _matched(self, layer: int, tasks: Sequence[str], *, n: int, seed: int) -> list[Subspace]:
        """Empty where too little varies but the tasks' subspaces."""
        i = self.layers.index(layer)
        background, centre = self.backgrounds[i], self.centres[i]
        own = [self.subspaces[task][layer] for task in tasks]
        rank, taken = own[0].rank, max(captured_variance(each, background) for each in own)
        together = Subspace.orthonormalise(np.concatenate([each.basis for each in own]), name="tasks")
        # Random directions are drawn among those that are orthogonal to the tasks', in their coordinates.
        outside = np.linalg.qr(together.basis.T, mode="complete")[0][:, together.rank :].T
        if len(outside) < rank:
            return []
        rest = background @ outside.T
        variances = np.linalg.eigvalsh(np.cov(rest.T, bias=True).reshape(len(outside), -1))
        wanted = min(taken, MOST_MATCHED * float(variances[-rank:].sum()))
        try:
            found = variance_matched_subspaces(rest, rank=rank, variance=wanted, n_subspaces=n, seed=seed)
        except InputError:
            return []
        return [replace(each, basis=each.basis @ outside, mean=centre) for each in found]

    def addition(self, task: str, *, start: int, multiple: float) -> list[Intervention]:
        """Add a multiple of the task's difference in means at every layer from `start` on."""
        differences = self.differences[task]
        return [
            Intervention(Add(differences[self.layers.index(layer)], multiple, name=task), layers=(layer,))
            for layer in self._from(start)
        ]

    def random_additions(
        self, task: str, *, start: int, multiple: float, n: int, seed: int
    ) -> list[list[Intervention]]:
        """n times random directions of the same lengths as the task's."""
        rng = np.random.default_rng(seed)
        lengths = np.linalg.norm(self.differences[task], axis=1)
        found: list[list[Intervention]] = []
        for _ in range(n):
            directions = rng.standard_normal(self.differences[task].shape)
            directions *= (lengths / np.linalg.norm(directions, axis=1))[:, None]
            found.append(
                [
                    Intervention(
                        Add(directions[self.layers.index(layer)], multiple, "random"), layers=(layer,)
                    )
                    for layer in self._from(start)
                ]
            )
        return found

    def _from(self, start: int) -> list[int]:
        return [layer for layer in self.layers if layer >= start]


def _project_out(subspaces: Mapping[int, Subspace]) -> list[Intervention]:
    return [Intervention(ProjectOut(each), layers=(layer,)) for layer, each in subspaces.items() if each.rank]


@one_thread
def fit_response_directions(
    source: ActivationSource, *, method: EraserMethod | None = None, seed: int
) -> tuple[ResponseDirections, ResponseDirections]:
    """Fit every task's subspace and difference in means at every captured block, once on each half of the
    base queries; `method` is the difference in means unless another is given.
    """
    layers = tuple(layer for layer in source.layers if layer >= 0) or source.layers
    halves = query_halves(source, seed=seed)
    everything = labelled_tasks(source, POSITION)

    def fit(half: int) -> ResponseDirections:
        tasks = [task.where(halves[task.queries] == half) for task in everything]
        removed = fit_task_subspaces(
            source, tasks, method or DifferenceInMeans(), layers=layers, positions=_along(source), seed=seed
        )
        able = [task for task in tasks if task.name in removed.by_task]
        centres = [_centre(source, layer, tasks) for layer in layers]
        return ResponseDirections(
            half=half,
            layers=layers,
            method=(method or DifferenceInMeans()).name,
            subspaces={
                task: {
                    layer: Subspace(basis=found[layer].basis, mean=centre, name=task)
                    for layer, centre in zip(layers, centres, strict=True)
                }
                for task, found in removed.by_task.items()
            },
            differences=_differences(source, layers, tasks, able),
            reasons=removed.reasons,
            centres=np.stack(centres),
            backgrounds=tuple(_background(source, layer, tasks) for layer in layers),
        )

    return fit(0), fit(1)


def _along(source: ActivationSource) -> list[str]:
    return [position for position in ALONG_RESPONSE if position in source.positions]


def _rows(tasks: Sequence[LabelledTask]) -> Int[np.ndarray, " n"]:
    return np.concatenate([task.rows for task in tasks])


def _differences(
    source: ActivationSource,
    layers: Sequence[int],
    tasks: Sequence[LabelledTask],
    able: Sequence[LabelledTask],
) -> dict[str, Float[np.ndarray, "layers d"]]:
    """The difference in means along the response of those `tasks` that are `able` to have one."""
    found: dict[str, list[Float[np.ndarray, " d"]]] = {task.name: [] for task in able}
    for layer in layers:
        features = response_features(source, layer, positions=_along(source), rows=_rows(tasks))
        for task in able:
            X = features[task.rows].astype(np.float64)
            found[task.name].append(X[task.satisfied].mean(axis=0) - X[~task.satisfied].mean(axis=0))
    return {name: np.stack(each) for name, each in found.items()}


def _centre(source: ActivationSource, layer: int, tasks: Sequence[LabelledTask]) -> Float[np.ndarray, " d"]:
    """The mean over positions of the tasks' responses, the prompt's end among them."""
    before = [position for position in ("prompt_end",) if position in source.positions]
    found = [source.features(layer, position)[_rows(tasks)] for position in (*before, *_along(source))]
    means = [np.nanmean(X, axis=0, dtype=np.float64) for X in found if np.isfinite(X).any()]
    return np.mean(means, axis=0)


def _background(
    source: ActivationSource, layer: int, tasks: Sequence[LabelledTask]
) -> Float[np.ndarray, "n d"]:
    positions = [position for position in BACKGROUND if position in source.positions]
    residuals = [within_class_residuals(source.features(layer, position), tasks) for position in positions]
    return np.concatenate(residuals)
