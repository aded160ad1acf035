"""All analyses but ablation at the size of a real study: 31 layers, d = 576, n = 600 responses a task.

    python -m tests.benchmarks.study_of_31_layers [--every 5]

prints CPU seconds by analysis, of every fifth layer or of all. Work grows with the layers at most in
proportion. The truth is planted, on both kinds of labels.
Planted activations are drawn, not read from disk: the time that takes is subtracted. Localisation is left out
too, which uses the model.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from jaxtyping import Float

from if_circuits.analyses.base import ON_ACTIVATIONS, AnalysisSettings, get_analysis
from if_circuits.analyses.validation.simulation.studies import (
    PlantedTruth,
    SimulatedActivations,
    simulate,
)
from if_circuits.threads import one_thread_each
from tests.benchmarks.table import Row

TRUTH = PlantedTruth(
    "separate", "monitoring", "by_family", n_base_queries=100, samples=6, d_model=576, n_layers=30, pairs=True
)
ANALYSES = tuple(name for name in ON_ACTIVATIONS if name != "causal_ablation")
MOST = 600.0


@dataclass(eq=False)
class Clock:
    """CPU seconds that drawing activations took so far."""

    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Drawn:
    """An `ActivationSource`: planted activations at some of their layers."""

    source: SimulatedActivations
    layers: tuple[int, ...]
    drawing: Clock = field(default_factory=Clock)

    def features(self, layer: int, position: str) -> Float[np.ndarray, "n d_model"]:
        """What the source draws."""
        started = time.process_time()
        drawn = self.source.features(layer, position)
        self.drawing.seconds += time.process_time() - started
        return drawn

    @property
    def responses(self) -> pd.DataFrame:
        return self.source.responses

    @property
    def base_queries(self) -> tuple[str, ...]:
        return self.source.base_queries

    @property
    def positions(self) -> tuple[str, ...]:
        return self.source.positions

    @property
    def n_layers(self) -> int:
        return self.source.n_layers

    @property
    def counterfactual(self) -> Drawn | None:
        pairs = self.source.counterfactual
        return None if pairs is None else Drawn(pairs, self.layers, self.drawing)

    @property
    def reader(self) -> Drawn:
        return self


def rows() -> list[Row]:
    """Seconds against ten minutes, by analysis and of all together; once."""
    taken = measured(every=1)
    what = f"analyses of 31 layers, d = {TRUTH.d_model}, n = 600 a task"
    every = {**taken, "all but causal ablation": sum(taken.values())}
    most = np.array([MOST])
    return [
        Row.of(f"{what}: {name}", np.array([seconds]), "ten minutes for all", most, reach="<= 1")
        for name, seconds in every.items()
    ]


def measured(*, every: int, truth: PlantedTruth = TRUTH) -> Mapping[str, float]:
    """CPU seconds of each analysis at every so many layers, drawing left out."""
    source = simulate(truth)
    drawn, settings, found = Drawn(source, source.layers[::every]), AnalysisSettings(), dict[str, float]()
    with one_thread_each():
        for name in ANALYSES:
            analysis, before, started = get_analysis(name), drawn.drawing.seconds, time.process_time()
            analysis.run(drawn, settings)
            found[name] = time.process_time() - started - (drawn.drawing.seconds - before)
            sys.stderr.write(f"{name}: {found[name]:.1f} s of {len(drawn.layers)} layers\n")
    return found


def main() -> None:
    """Print what was taken as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th layer, from embed")
    taken = measured(every=parser.parse_args().every)
    sys.stdout.write(json.dumps({**taken, "all": sum(taken.values())}) + "\n")


if __name__ == "__main__":
    main()
