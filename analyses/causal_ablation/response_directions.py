"""What behaviour removes and adds: each task's mean difference along the response, at every layer.

A hook acts on every token that is written, so the direction is fitted on tokens along the whole response
and not at its end alone. It is the difference of the means of satisfied and violated responses, each
response being the mean over its positions (of what is left when the position's own mean is taken off).
Unlike the directions of a discriminant, it is where the two classes differ, not what tells them apart best;
and it has rank one at every layer, so all tasks share their random controls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.shared.labelled_tasks import labelled_tasks, query_halves
from if_circuits.analyses.shared.task_subspaces import POSITION, within_class_residuals
from if_circuits.erasure.random_subspace import captured_variance, random_subspace, variance_matched_subspaces
from if_circuits.errors import InputError
from if_circuits.interventions.hooks import Intervention
from if_circuits.interventions.operations import Add, ProjectOut
from if_circuits.interventions.subspace import Subspace

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
    gaps: Mapping[str, Float[np.ndarray, "layers d"]]
    """Mean of satisfied minus mean of violated responses; a task without enough labels has none."""
    reasons: Mapping[str, str]
    """Why a task has none."""
    centres: Float[np.ndarray, "layers d"]
    """Mean over positions and constrained responses of all tasks: what removed coordinates are set to."""
    backgrounds: tuple[Float[np.ndarray, "n d"], ...]
    """Activations about the mean of their task, class and position, by layer."""

    def removal(self, task: str, *, start: int) -> list[Intervention]:
        """Project the task's direction out at every layer from `start` on."""
        return self._project_out({layer: self._direction(task, layer) for layer in self._from(start)})

    def controls(self, kind: str, *, start: int, n: int, seed: int) -> list[list[Intervention]]:
        """The same with n random directions ("gaussian" or "variance_matched"), shared by all tasks.

        Matched ones take away as much variance as the task's direction that takes most, at each layer: a
        control for all tasks that is too lenient for none. They are orthogonal to the tasks' own directions:
        where a mechanism is what varies most, all that takes as much variance would otherwise be that
        mechanism, and be its own control. Where nothing else varies as much, they take `MOST_MATCHED` of what
        can be had.
        """
        found: dict[int, list[Subspace]] = {}
        for layer in self._from(start):
            i = self.layers.index(layer)
            # Other numbers at each layer: the same direction all the way up would not be a random one.
            own = seed + 1000 * (i + 1)
            found[layer] = [random_subspace(1, mean=self.centres[i], seed=own + draw) for draw in range(n)]
            if kind == "variance_matched":
                found[layer] = self._matched(layer, n=n, seed=own) or found[layer]
        return [self._project_out({layer: draws[i] for layer, draws in found.items()}) for i in range(n)]

    def _matched(self, layer: int, *, n: int, seed: int) -> list[Subspace]:
        """Empty where nothing but the tasks' directions varies."""
        background = self.backgrounds[self.layers.index(layer)]
        directions = [self._direction(task, layer) for task in self.gaps]
        taken = [captured_variance(each, background) for each in directions if each.rank]
        bases = [np.zeros((0, background.shape[1])), *(each.basis for each in directions)]
        tasks = Subspace.orthonormalise(np.concatenate(bases), name="tasks")
        # Random directions are drawn among those that are orthogonal to the tasks', in their coordinates.
        outside = np.linalg.qr(tasks.basis.T, mode="complete")[0][:, tasks.rank :].T
        if not len(outside):
            return []
        rest = background @ outside.T
        most = float(np.linalg.eigvalsh(np.cov(rest.T, bias=True).reshape(len(outside), -1))[-1])
        wanted = min(max(taken, default=0.0), MOST_MATCHED * most)
        try:
            found = variance_matched_subspaces(rest, rank=1, variance=wanted, n_subspaces=n, seed=seed)
        except InputError:
            return []
        return [replace(each, basis=each.basis @ outside, mean=each.mean @ outside) for each in found]

    def addition(self, task: str, *, start: int, multiple: float) -> list[Intervention]:
        """Add a multiple of the task's mean difference at every layer from `start` on."""
        gaps = self.gaps[task]
        return [
            Intervention(Add(gaps[self.layers.index(layer)], multiple, name=task), layers=(layer,))
            for layer in self._from(start)
        ]

    def random_additions(
        self, task: str, *, start: int, multiple: float, n: int, seed: int
    ) -> list[list[Intervention]]:
        """n times random directions of the same lengths as the task's."""
        rng = np.random.default_rng(seed)
        lengths = np.linalg.norm(self.gaps[task], axis=1)
        found: list[list[Intervention]] = []
        for _ in range(n):
            directions = rng.standard_normal(self.gaps[task].shape)
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

    def _direction(self, task: str, layer: int) -> Subspace:
        i = self.layers.index(layer)
        return Subspace.orthonormalise(self.gaps[task][i][None], mean=self.centres[i], name=task)

    def _project_out(self, subspaces: Mapping[int, Subspace]) -> list[Intervention]:
        centred = {
            layer: Subspace(basis=each.basis, mean=self.centres[self.layers.index(layer)], name=each.name)
            for layer, each in subspaces.items()
            if each.rank
        }
        return [Intervention(ProjectOut(each), layers=(layer,)) for layer, each in centred.items()]


def fit_response_directions(
    source: ActivationSource, *, seed: int
) -> tuple[ResponseDirections, ResponseDirections]:
    """Fit every task's direction at every captured block, once on each half of the base queries."""
    layers = tuple(layer for layer in source.layers if layer >= 0) or source.layers
    halves = query_halves(source, seed=seed)
    everything = labelled_tasks(source, POSITION)
    tasks = [[task.where(halves[task.queries] == half) for task in everything] for half in (0, 1)]
    used = [np.concatenate([task.rows for task in half]) for half in tasks]
    gaps: list[dict[str, list[Float[np.ndarray, " d"]]]] = [
        {task.name: [] for task in half if not task.shortage()} for half in tasks
    ]
    centres: list[list[Float[np.ndarray, " d"]]] = [[], []]
    backgrounds: list[list[Float[np.ndarray, "n d"]]] = [[], []]
    along = [p for p in ALONG_RESPONSE if p in source.positions]
    behind = [p for p in BACKGROUND if p in source.positions]
    for layer in layers:
        positions = {p: source.features(layer, p) for p in along}
        before = source.features(layer, "prompt_end") if "prompt_end" in source.positions else None
        for half in (0, 1):
            rows = used[half]
            found = [X[rows].astype(np.float64) for X in positions.values()]
            # A position that no response has, as `eos` where all are truncated, has no mean.
            found = [X for X in found if np.isfinite(X).any()]
            means = [np.nanmean(X, axis=0) for X in found]
            prompt_means = [] if before is None else [before[rows].mean(axis=0, dtype=np.float64)]
            centres[half].append(np.mean([*prompt_means, *means], axis=0))
            responses = np.full((len(source.responses), len(means[0])), np.nan)
            responses[rows] = np.nanmean([X - mean for X, mean in zip(found, means, strict=True)], axis=0)
            for task in tasks[half]:
                if task.name in gaps[half]:
                    X = responses[task.rows]
                    gaps[half][task.name].append(
                        X[task.satisfied].mean(axis=0) - X[~task.satisfied].mean(axis=0)
                    )
            residuals = [within_class_residuals(positions[p], tasks[half]) for p in behind]
            backgrounds[half].append(np.concatenate(residuals))
    first, second = (
        ResponseDirections(
            half=half,
            layers=layers,
            gaps={name: np.stack(found) for name, found in gaps[half].items()},
            reasons={task.name: task.shortage() for task in tasks[half] if task.shortage()},
            centres=np.stack(centres[half]),
            backgrounds=tuple(backgrounds[half]),
        )
        for half in (0, 1)
    )
    return first, second
