"""Directions found on planted activations, compared with the ones that were planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from if_circuits.analyses.validation.known_answers.directions import METHODS, planted_cosines
from if_circuits.analyses.validation.simulation.responses import TASKS
from if_circuits.analyses.validation.simulation.studies import PlantedTruth, SimulatedActivations, simulate
from if_circuits.planting.mechanism import Mechanism, plant

TRUTH = PlantedTruth(signal=6.0, n_base_queries=60, d_model=24, n_layers=2, positions=("last",))


def mechanism_of(source: SimulatedActivations) -> Mechanism:
    """The directions that were planted, as if a model had been trained to have them."""
    empty = plant("compositional", seed=0, d_model=24, c=1.0)
    return replace(empty, directions=dict(zip(TASKS, source.directions, strict=True)), layer=1)


def test_a_strong_signal_is_found_by_every_method_and_no_foreign_direction_is() -> None:
    source = simulate(TRUTH)
    found = planted_cosines(source, mechanism_of(source), seed=0)
    assert list(dict.fromkeys(found["method"])) == list(METHODS)
    assert len(found) == len(TASKS) * len(METHODS)
    means = found.groupby("method")["cosine"].mean()
    assert means.min() > 0.85
    assert (found["cosine"] > found["others"]).all()
    assert (found.loc[found["method"] != "INLP, subspace", "rank"] == 1).all()


def test_without_a_signal_directions_are_no_nearer_than_random_ones() -> None:
    source = simulate(replace(TRUTH, mechanism="null"))
    found = planted_cosines(source, mechanism_of(source), seed=0)
    single = found[found["rank"] == 1].groupby("method")["cosine"].mean()
    # A random unit vector in 24 dimensions: |cosine| has mean 0.16 and deviation 0.12, over nine tasks 0.04.
    expected = np.sqrt(2 / (np.pi * 24))
    assert single.max() < expected + 4 * 0.12 / 3


def test_a_task_without_both_labels_has_no_row() -> None:
    source = simulate(TRUTH)
    source.responses = source.responses.assign(
        verdict=source.responses["verdict"].where(source.responses["task"] != "topic", "satisfied")
    )
    found = planted_cosines(source, mechanism_of(source), seed=0)
    assert "topic" not in set(found["task"]) and "register" in set(found["task"])


def test_another_width_is_refused() -> None:
    source = simulate(TRUTH)
    with pytest.raises(ValueError):
        planted_cosines(source, plant("universal", seed=0, d_model=16, c=1.0), seed=0)
