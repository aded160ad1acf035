"""Every analysis of activations says the same whoever carries out its units."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest

from if_circuits.analyses.base import ON_ACTIVATIONS, AnalysisSettings, get_analysis
from if_circuits.analyses.validation.simulation.studies import PlantedTruth, simulate
from if_circuits.engine.base import Engine
from if_circuits.engine.choice import open_engine

pytestmark = pytest.mark.slow

TRUTH = PlantedTruth(
    n_base_queries=16, samples=3, d_model=12, n_layers=1, positions=("prompt_end", "last"), signal=3.0
)
SETTINGS = AnalysisSettings(n_folds=3, n_bootstrap=20, n_permutations=20, n_random_subspaces=3)


@pytest.fixture(scope="module")
def two() -> Iterator[Engine]:
    with open_engine(workers=2) as engine:
        yield engine


@pytest.mark.parametrize("name", ON_ACTIVATIONS)
def test_two_workers_find_what_this_process_finds(name: str, two: Engine):
    told: list[float] = []
    alone = get_analysis(name).run(simulate(TRUTH), SETTINGS)
    shared = get_analysis(name).run(
        simulate(TRUTH), SETTINGS, engine=two, progress=lambda done, total: told.append(done / total)
    )
    assert repr(shared.verdict) == repr(alone.verdict)
    assert list(shared.tables) == list(alone.tables)
    for one, other in zip((shared.table, *shared.tables.values()), (alone.table, *alone.tables.values())):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert told == sorted(told) and told[-1:] in ([1.0], [])
