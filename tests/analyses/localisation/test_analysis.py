"""Localisation: shares and layers from made shifts, and the planted layer of a planted model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import if_circuits as ifc
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.localisation.analysis import passes_of, run
from if_circuits.analyses.localisation.carried import carried_table, depths_carried
from if_circuits.analyses.localisation.shifts import Shifts, joined, shifts_of, summarise
from if_circuits.analyses.localisation.subspaces import ONE_DIRECTION, nearest_cosine
from if_circuits.interventions.subspace import Subspace
from if_circuits.models.loading import locate
from if_circuits.planting.mechanism import load_mechanism
from tests.analyses.planted import small_study

SETTINGS = AnalysisSettings(n_bootstrap=200, n_permutations=200)


def made(layer: int, share: float, *, task: str = "topic", n: int = 20, placebo: float = 0.0) -> Shifts:
    """One direction at a layer that makes up a share of a difference of 5 nats, with noise."""
    rng = np.random.default_rng(layer + 1)
    full = rng.normal(5.0, 1.0, n)
    return Shifts(
        task=task,
        place={"direction": "takes", "position": "all", "layer": layer, "subspace": ONE_DIRECTION},
        queries=np.array([f"query {i:02d}" for i in range(n)]),
        towards=share * full + rng.normal(0.0, 0.2, n),
        full=full,
        placebo=np.full(n, 5 * placebo),
        damage=np.zeros(n),
    )


def test_a_share_is_the_mean_shift_over_the_whole_difference_and_must_exceed_its_placebo() -> None:
    found = summarise([made(0, 0.5), made(1, 0.3, placebo=0.3), made(2, 0.0)], SETTINGS)
    np.testing.assert_allclose(found["share"], [0.5, 0.3, 0.0], atol=0.05)
    np.testing.assert_allclose(found["share_placebo"], [0.0, 0.3, 0.0], atol=0.05)
    assert (found["p"] < 0.01).tolist() == [True, False, False]
    assert (found["low"] < found["share"]).all() and (found["share"] < found["high"]).all()
    assert found.loc[2, "wrong_way"] == pytest.approx(0.5, abs=0.3)


def test_where_the_two_prompts_do_not_differ_there_is_no_share() -> None:
    nothing = made(0, 0.5)
    rng = np.random.default_rng(1)
    nothing = Shifts(**{**vars(nothing), "full": rng.normal(0.0, 1.0, 20)})
    (row,) = summarise([nothing], SETTINGS).to_dict("records")
    assert np.isnan(row["share"]) and "not above 0" in row["reason"]


def test_pairs_of_two_halves_are_put_together() -> None:
    first, second = made(1, 0.2, n=12), made(1, 0.6, n=14)
    both = joined([first, second])
    assert len(both.queries) == 26 == len(both.towards)
    np.testing.assert_array_equal(both.towards[:12], first.towards)


def test_shifts_are_counted_towards_the_other_run_and_placebos_averaged() -> None:
    shared = {
        "task": "topic", "direction": "takes", "position": "all", "layer": 1, "subspace": "residual",
        "rank": pd.NA, "dose": 1.0, "log_prob": -3.0, "log_prob_base": -1.0, "log_prob_source": -2.0,
    }  # fmt: skip
    rows = [
        {**shared, "pair": pair, "base_query": f"q{pair}", "placebo": placebo, "shift": shift, "full": -4.0}
        for placebo, shifts in ((pd.NA, (-2.0, -1.0)), (0, (0.5, 0.0)), (1, (-0.5, -1.0)))
        for pair, shift in enumerate(shifts)
    ]
    (found,) = shifts_of(pd.DataFrame(rows))
    assert found.towards.tolist() == [2.0, 1.0] and found.full.tolist() == [4.0, 4.0]
    assert found.placebo is not None and found.placebo.tolist() == [0.0, 0.5]
    assert found.damage.tolist() == [1.0, 1.0]  # a nat below the less likely of both runs


def test_a_task_is_carried_where_one_direction_makes_up_most_among_layers_beyond_the_placebo() -> None:
    source = small_study("separate", n_base_queries=20)
    measured = {
        "topic": [made(-1, 0.1), made(1, 0.8), made(0, 0.3)],
        "sentiment": [made(0, 0.9, task="sentiment"), made(1, 0.4, task="sentiment")],
        "toxicity": [made(0, 0.0, task="toxicity")],
    }
    table = summarise([each for found in measured.values() for each in found], SETTINGS)
    table.insert(1, "family", "semantic")
    # The layer of the largest share of sentiment does not survive.
    table["survives"] = [True, True, True, False, True, False]
    found, draws = depths_carried(table, measured, source, SETTINGS)
    carried = carried_table(table, found, draws, source)
    assert carried["layer"].tolist() == ["1", "1", "nowhere"]
    assert carried["share_of_resamples"].tolist()[:2] == [1.0, 1.0]
    assert np.isnan(found[2]) and np.isnan(draws[:, 2]).all()


def test_without_a_model_nothing_is_located_and_every_task_says_why() -> None:
    source = small_study("separate", n_base_queries=20)
    result = run(source, SETTINGS)
    assert result.verdict.verdict == "inconclusive"
    assert result.table["reason"].str.len().all() and result.tables == {}
    assert result.figure().axes


def test_the_cosine_of_a_subspace_is_that_of_its_nearest_direction() -> None:
    plane = Subspace(basis=np.eye(4)[:2], mean=np.zeros(4), name="plane")
    line = Subspace.orthonormalise(np.array([[1.0, 0.0, 1.0, 0.0]]), name="line")
    assert nearest_cosine(plane, line) == pytest.approx(0.5**0.5)


def test_deeper_models_take_no_more_passes_than_those_of_the_layers_that_are_exchanged() -> None:
    assert passes_of(9, 12) == passes_of(9, 80) > passes_of(9, 6)


@pytest.mark.slow
def test_the_planted_layer_of_a_planted_model_is_found() -> None:
    name = "if-tiny-compositional"
    model, mechanism = ifc.load_model(name), load_mechanism(Path(locate(name).source))
    rows = ifc.respond(model, ifc.prompts(["sentiment"], n=80, counterparts=True), progress=False)
    acts = ifc.capture(model, rows, layers=range(model.n_layers), progress=False)
    told: list[float] = []
    result = run(acts, SETTINGS, model=model, progress=lambda done, total: told.append(done / total))
    (carried,) = result.tables["carried"].to_dict("records")
    assert carried["layer"] == str(mechanism.layer)
    assert carried["share"] > 0.6 and carried["low"] == carried["high"] == carried["depth"]
    assert result.verdict.verdict == "inconclusive"  # one task makes no trend
    assert told == sorted(told) and told[-1] == 1.0

    shares = result.tables["subspaces"].set_index("subspace")["share"]
    assert shares[ONE_DIRECTION] > shares["probe"] + 0.2  # what reads is not what acts
    assert abs(shares["random"]) < 0.1 and abs(shares["placebo"]) < 0.2
    whole = result.table[(result.table["subspace"] == "residual") & (result.table["position"] == "all")]
    assert whole.loc[whole["layer"] == model.n_layers - 1, "share"].to_numpy() == pytest.approx(1.0, abs=1e-3)
