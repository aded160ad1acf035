"""What the calibration plants for each claim: truths under which the claim is false, and truths under which
it holds.

A false positive is the verdict "supported" under a null. Where a claim is about a threshold, one null lies
on it, since that is where a wrong verdict is likeliest; the others are the opposite of the claim, and no
signal at all. The nulls:

- specialist_vs_general, a difference above 0: `universal`, one direction for all tasks, so that a specialist
  has nothing that a general probe of equal size lacks; and `nothing`.
- cross_task_transfer, a ratio below 0.5: `at threshold`, directions at an angle at which probes of other
  tasks read half of what a task's own one reads (cosine 0.43, found by trial: the mean ratio is 0.51);
  `universal`, where every probe reads every task; and `nothing`, where nothing can be transferred.
- causal_ablation, few edges and more asymmetry than chance: `families`, whose dependencies are few but run
  both ways; and `separate`, which has no dependency whose asymmetry could be looked at.
- layer_stratification, a trend over families: `shuffled`, the depths of the real claim dealt to the tasks at
  random, so that a deal which happens to follow the families counts as a false positive; and `everywhere`,
  all tasks at one layer.
- temporal_dynamics, growth above 0: `planning`, the whole signal at `prompt_end`, so that there is no growth;
  and `surface`, where only the words that were read so far give the label away.
- representational_similarity, a squared cosine below 0.5: `at threshold`, directions with a squared cosine of
  0.5; `universal`, where all directions are one; and `nothing`.
- specificity, a ratio above 1: `twins`, whose responses carry the same signal as constrained ones; `more in
  twins`, the opposite of the claim; and `nothing`.

Power is measured on the claim itself, from fewer responses of a task than dimensions to many more. Causal
ablation is calibrated in representation only: planted data have no model whose behaviour could be changed.
Its studies grow in base queries at one width, and the largest stands a second time in 16 dimensions: there
nine directions fill most of the space, a random control of rank three hits many of them, and an edge that
must lie beyond its controls is lost.
Planted studies have no counterfactual pairs, since all verdicts rest on natural labels, and where a verdict
is about `last` they hold no other position: of all analyses only temporal_dynamics reads another one for its
verdict. What users run is run whole, apart from those.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Literal

from if_circuits.analyses.base import ON_ACTIVATIONS, AnalysisSettings
from if_circuits.analyses.validation.simulation.studies import PlantedTruth, simulate
from if_circuits.errors import InputError
from if_circuits.io.code import code_digest
from if_circuits.study.keys import analysis_code

SMALL = PlantedTruth(n_base_queries=30, d_model=16, n_layers=2, positions=("last",))
"""A study that an analysis goes through in about a second."""
TIMED = replace(SMALL, positions=("prompt_end", "last"))
"""The same with the position before the response, for the verdict on growth."""
DEEP = replace(SMALL, n_layers=4)
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
    sizes: tuple[tuple[int, int], ...] = ((15, 64), (30, 32), (60, 16))
    """Base queries and dimensions of the studies for power; four responses of a task to each query."""


_NOTHING = replace(SMALL, mechanism="null")
_UNIVERSAL = replace(SMALL, mechanism="universal")
_STRONG = replace(SMALL, signal=3.0)
_FAINT = (0.25, 0.5, 1.0)
"""Signals between hardly ever and always, for the claims that are the easiest to see."""

CLAIMS: Mapping[str, Claim] = MappingProxyType(
    {
        "specialist_vs_general": Claim({"universal": _UNIVERSAL, "nothing": _NOTHING}, SMALL, signals=_FAINT),
        "cross_task_transfer": Claim(
            {"at threshold": replace(SMALL, cosine=0.43), "universal": _UNIVERSAL, "nothing": _NOTHING},
            SMALL,
            signals=_FAINT,
        ),
        "causal_ablation": Claim(
            {"families": replace(_STRONG, mechanism="families"), "separate": _STRONG},
            replace(SMALL, mechanism="one_way"),
            sizes=((30, 64), (60, 64), (120, 64), (120, 16)),
        ),
        "layer_stratification": Claim(
            {"shuffled": replace(DEEP, emergence="shuffled"), "everywhere": DEEP},
            replace(DEEP, emergence="by_family"),
        ),
        "temporal_dynamics": Claim(
            {"planning": TIMED, "surface": replace(TIMED, mechanism="surface", timing="monitoring")},
            replace(TIMED, timing="monitoring"),
        ),
        "representational_similarity": Claim(
            {"at threshold": replace(SMALL, cosine=0.5**0.5), "universal": _UNIVERSAL, "nothing": _NOTHING},
            SMALL,
        ),
        "specificity": Claim(
            {
                "twins": replace(_STRONG, twin_signal=1.0),
                "more in twins": replace(SMALL, twin_signal=2.0),
                "nothing": _NOTHING,
            },
            SMALL,
        ),
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
    code: str = ""
    """Digest of the code that carries the run out."""

    @property
    def n_over_d(self) -> float:
        """Responses of a task per dimension of the activations."""
        return self.truth.n_base_queries * self.truth.samples / self.truth.d_model

    @property
    def run_id(self) -> str:
        """Digest of all that the outcome follows from: other code plans other runs."""
        return _digest(asdict(self))


def plan(
    *,
    runs: int,
    power_runs: int,
    seed: int = 0,
    analyses: Sequence[str] = ON_ACTIVATIONS,
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
        for n_base_queries, d_model in claim.sizes:
            for signal in claim.signals:
                truth = replace(claim.true, signal=signal, n_base_queries=n_base_queries, d_model=d_model)
                planned += [
                    _seeded(PlannedRun(name, "power", "claim", i, truth, SETTINGS), seed)
                    for i in range(power_runs)
                ]
    codes = {name: code_of(name) for name in analyses}
    return tuple(replace(run, code=codes[run.analysis]) for run in planned)


def _seeded(run: PlannedRun, seed: int) -> PlannedRun:
    """The run with its own random numbers, for the study and for the analysis."""
    own = int(_digest(asdict(run) | {"seed": seed}), 16)
    # The analyses multiply their seed; a small one stays within what every generator takes.
    truth = replace(run.truth, seed=own % 2**31)
    return replace(run, truth=truth, settings=replace(run.settings, seed=own // 2**31 % 100_000))


def _digest(value: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:24]


def code_of(analysis: str) -> str:
    """Digest of the code that an outcome follows from, so that no finished run outlives a change to it."""
    return f"{analysis_code(analysis)[:24]}{code_digest(simulate)[:24]}"
