"""What the calibration plants for each claim: truths under which the claim is false, and truths under which
it holds.

A false positive is the verdict "supported" under a null. Which mechanism is the null of which claim:

- specialist_vs_general: `universal`, one direction for all tasks, so that a specialist has nothing a general
  probe of equal size lacks; and `nothing`.
- cross_task_transfer: `universal`, where every probe reads every task, so that transfer is not weak; and
  `nothing`, where nothing can be transferred.
- causal_ablation: `families`, whose dependencies are sparse but run both ways; and `separate`, which has no
  dependency whose asymmetry could be looked at.
- layer_stratification: `shuffled`, the depths of the real claim dealt to the tasks at random, so that a deal
  which happens to follow the families counts as a false positive; and `everywhere`, all tasks at one layer.
- temporal_dynamics: `planning`, the whole signal at `prompt_end`; and `surface`, where only the words that
  were read so far give the label away.
- representational_similarity: `universal`, where the directions of all tasks are one; and `nothing`.
- specificity: `twins`, which carry as much of the signal as constrained responses; and `nothing`.

A claim with a threshold inside the range of truths (transfer, similarity: 0.5) has its nulls on the far
side of it, not at it, since no mechanism lies exactly there: their rates bound the error at these truths.
Dependencies are those of representation: planted data have no model whose behaviour could be changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Literal

from if_circuits import __version__
from if_circuits.analyses.base import ANALYSES, AnalysisSettings
from if_circuits.errors import InputError
from if_circuits.simulation import PlantedTruth

SMALL = PlantedTruth(n_base_queries=30, d_model=16, n_layers=2, positions=("prompt_end", "last"))
"""A study that an analysis goes through in about a second."""
DEEP = replace(SMALL, n_layers=4, positions=("last",))
"""Four layers, the fewest that tell the planted depths of four families apart."""
SETTINGS = AnalysisSettings(n_bootstrap=300, n_permutations=199)
"""Fewer resamples than a study's, for speed. A test at 5 % with 199 permutations is still exact."""


@dataclass(frozen=True)
class Claim:
    """What is planted for one analysis."""

    nulls: Mapping[str, PlantedTruth]
    """Truths under which the claim is false, by the name that the tables give them."""
    true: PlantedTruth
    """The truth under which the claim holds; signal and base queries are varied."""
    signals: tuple[float, ...] = (1.0, 2.0, 3.0)
    base_queries: tuple[int, ...] = (15, 30, 60)


_NOTHING = replace(SMALL, mechanism="null")
_UNIVERSAL = replace(SMALL, mechanism="universal")
_SPECIFIC = replace(SMALL, signal=3.0)
_FAINT = (0.25, 0.5, 1.0)
"""Signals between hardly ever and always, for the claims that are the easiest to see."""

CLAIMS: Mapping[str, Claim] = MappingProxyType(
    {
        "specialist_vs_general": Claim({"universal": _UNIVERSAL, "nothing": _NOTHING}, SMALL, signals=_FAINT),
        "cross_task_transfer": Claim({"universal": _UNIVERSAL, "nothing": _NOTHING}, SMALL, signals=_FAINT),
        "causal_ablation": Claim(
            {
                "families": replace(SMALL, mechanism="families", signal=3.0),
                "separate": replace(SMALL, signal=3.0),
            },
            replace(SMALL, mechanism="one_way"),
            base_queries=(30, 60, 120),
        ),
        "layer_stratification": Claim(
            {"shuffled": replace(DEEP, emergence="shuffled"), "everywhere": DEEP},
            replace(DEEP, emergence="by_family"),
        ),
        "temporal_dynamics": Claim(
            {
                "planning": SMALL,
                "surface": replace(SMALL, mechanism="surface", timing="monitoring"),
            },
            replace(SMALL, timing="monitoring"),
        ),
        "representational_similarity": Claim({"universal": _UNIVERSAL, "nothing": _NOTHING}, SMALL),
        "specificity": Claim({"twins": replace(_SPECIFIC, twin_signal=1.0), "nothing": _NOTHING}, SMALL),
    }
)


@dataclass(frozen=True)
class PlannedRun:
    """One analysis of one planted study."""

    analysis: str
    kind: Literal["null", "power"]
    planted: str
    """Name of the null, or "claim" where the claim holds."""
    run: int
    """Number of this run among those of the same truth."""
    truth: PlantedTruth
    settings: AnalysisSettings

    @property
    def n_over_d(self) -> float:
        """Responses of a task per dimension of the activations."""
        return self.truth.n_base_queries * self.truth.samples / self.truth.d_model

    @property
    def run_id(self) -> str:
        """Digest of all that the outcome follows from, and of the library's version."""
        return _digest(asdict(self) | {"version": __version__})


def plan(
    *,
    runs: int,
    power_runs: int,
    seed: int = 0,
    analyses: Sequence[str] = ANALYSES,
    claims: Mapping[str, Claim] = CLAIMS,
) -> tuple[PlannedRun, ...]:
    """All runs, in a fixed order: `runs` per null of each claim, `power_runs` per signal and study size.

    Each run's random numbers follow from `seed` and from what is planted, never from the runs beside it, so
    a longer plan contains the shorter one. Raises InputError for an unknown analysis or fewer than one run.
    """
    if unknown := [name for name in analyses if name not in claims]:
        raise InputError(f"unknown analysis {unknown[0]!r}; expected some of {', '.join(claims)}")
    if min(runs, power_runs) < 1:
        raise InputError(f"runs and power runs must be positive, got {runs} and {power_runs}")
    planned: list[PlannedRun] = []
    for name in dict.fromkeys(analyses):
        claim = claims[name]
        for planted, truth in claim.nulls.items():
            planned += [
                _seeded(PlannedRun(name, "null", planted, i, truth, SETTINGS), seed) for i in range(runs)
            ]
        for n_base_queries in claim.base_queries:
            for signal in claim.signals:
                truth = replace(claim.true, signal=signal, n_base_queries=n_base_queries)
                planned += [
                    _seeded(PlannedRun(name, "power", "claim", i, truth, SETTINGS), seed)
                    for i in range(power_runs)
                ]
    return tuple(planned)


def _seeded(run: PlannedRun, seed: int) -> PlannedRun:
    """The run with its own random numbers, for the study and for the analysis."""
    own = int(_digest(asdict(run) | {"seed": seed}), 16)
    # The analyses multiply their seed; a small one stays within what every generator takes.
    truth = replace(run.truth, seed=own % 2**31)
    return replace(run, truth=truth, settings=replace(run.settings, seed=own // 2**31 % 100_000))


def _digest(value: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:24]
