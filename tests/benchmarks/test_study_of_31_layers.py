from dataclasses import replace

import numpy as np

from if_circuits.analyses.validation.simulation.studies import simulate
from tests.benchmarks.study_of_31_layers import TRUTH, Drawn


def test_every_task_has_600_rows_at_31_layers():
    source = simulate(TRUTH)
    constrained = source.responses[source.responses["constrained"]]
    assert set(constrained.groupby("task").size()) == {600}
    assert len(source.layers) == 31


def test_what_is_drawn_is_the_sources_own_and_its_time_is_kept():
    source = simulate(replace(TRUTH, n_base_queries=4, samples=2, d_model=9, n_layers=4))
    drawn = Drawn(source, source.layers[::2])
    assert drawn.layers == (-1, 1, 3)
    np.testing.assert_array_equal(drawn.reader.features(1, "last"), source.features(1, "last"))
    before = drawn.drawing.seconds
    pairs = drawn.counterfactual
    assert pairs is not None
    assert pairs.layers == drawn.layers
    pairs.features(3, "last")
    assert drawn.drawing.seconds > before > 0
