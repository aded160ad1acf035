import numpy as np
import pytest

from if_circuits.activations.positions import POSITIONS
from if_circuits.analyses.validation.simulation.studies import (
    FAMILY_OF,
    ONE_WAY,
    TASKS,
    Carrier,
    PlantedTruth,
    simulate,
)
from if_circuits.errors import InputError
from if_circuits.statistics.auroc import auroc

TWO_SIGMA = 0.921
"""Phi(2 / sqrt 2): the best AUROC for class means two standard deviations apart."""


def planted_aurocs(truth: PlantedTruth, layer: int, position: str, *, constrained: bool = True) -> np.ndarray:
    """AUROC of each task's rows along each task's planted direction: [rows' task, direction's task]."""
    source = simulate(truth)
    responses = source.responses
    X = source.features(layer, position)
    known = np.isfinite(X).all(axis=1) & (responses["constrained"].to_numpy(dtype=bool) == constrained)
    found = np.empty((len(TASKS), len(TASKS)))
    for i, task in enumerate(TASKS):
        rows = known & (responses["task"] == task).to_numpy()
        satisfied = (responses["verdict"][rows] == "satisfied").to_numpy()
        found[i] = [auroc(satisfied, X[rows] @ direction) for direction in source.directions]
    return found


def test_the_same_truth_gives_the_same_study_in_any_order_of_reading() -> None:
    truth = PlantedTruth(n_base_queries=6, samples=2, d_model=9, n_layers=2)
    first, second = simulate(truth), simulate(truth)
    assert first.responses.equals(second.responses)
    before = first.features(1, "last")
    second.features(0, "10%")
    np.testing.assert_array_equal(before, second.features(1, "last"))


def test_a_study_has_the_columns_and_places_of_a_real_one() -> None:
    source = simulate(PlantedTruth(n_base_queries=6, samples=2, d_model=9, n_layers=2))
    assert source.layers == (-1, 0, 1)
    assert source.positions == POSITIONS
    assert len(source.responses) == 9 * 6 * 2 * 2
    assert source.responses["response_id"].is_unique
    for tokens, n, truncated in source.responses[["response_tokens", "n_tokens", "truncated"]].itertuples(
        index=False
    ):
        assert len(tokens) == n + (not truncated)


def test_truncated_responses_have_no_eos() -> None:
    source = simulate(PlantedTruth(n_base_queries=12, samples=3, d_model=9, n_layers=1))
    truncated = source.responses["truncated"].to_numpy(dtype=bool)
    assert truncated.any()
    np.testing.assert_array_equal(np.isnan(source.features(0, "eos")).any(axis=1), truncated)


@pytest.mark.parametrize("mechanism", ["universal", "separate", "families"])
def test_directions_carry_exactly_the_planted_signal(mechanism: Carrier) -> None:
    found = planted_aurocs(PlantedTruth(mechanism, n_base_queries=100, signal=2.0), 2, "last")
    families = np.array([FAMILY_OF[task] for task in TASKS])
    shared = {
        "universal": np.ones((9, 9), dtype=bool),
        "separate": np.eye(9, dtype=bool),
        "families": families[:, None] == families,
    }[mechanism]
    np.testing.assert_allclose(found[shared], TWO_SIGMA, atol=0.06)
    np.testing.assert_allclose(found[~shared], 0.5, atol=0.15)


def test_nothing_is_planted_where_nothing_should_be() -> None:
    nothing = planted_aurocs(PlantedTruth("null", n_base_queries=100), 2, "last")
    below = planted_aurocs(PlantedTruth("separate", n_base_queries=100), -1, "last")
    twins = planted_aurocs(PlantedTruth("separate", n_base_queries=100), 2, "last", constrained=False)
    for found in (nothing, below, twins):
        assert abs(np.diag(found).mean() - 0.5) < 0.04


def test_monitoring_grows_from_nothing_and_planning_does_not() -> None:
    def curve(timing: str) -> list[float]:
        truth = PlantedTruth("universal", timing=timing, n_base_queries=60)  # type: ignore[arg-type]
        return [float(np.diag(planted_aurocs(truth, 1, at)).mean()) for at in ("prompt_end", "50%", "last")]

    start, middle, end = curve("monitoring")
    assert abs(start - 0.5) < 0.05 < middle - start
    assert end - middle > 0.05
    assert np.ptp(curve("planning")) < 0.03


def test_families_emerge_in_the_planted_order() -> None:
    truth = PlantedTruth("separate", emergence="by_family", n_base_queries=60, n_layers=4)
    readable = np.stack([np.diag(planted_aurocs(truth, layer, "last")) for layer in range(4)]) > 0.75
    first = {FAMILY_OF[task]: int(layer) for task, layer in zip(TASKS, readable.argmax(axis=0), strict=True)}
    assert first["structural"] < first["lexical"] < first["stylistic"] < first["semantic"]


def test_shuffled_emergence_deals_the_same_depths_to_other_tasks() -> None:
    planned = simulate(PlantedTruth(emergence="by_family", n_base_queries=2)).emergence_depths
    dealt = simulate(PlantedTruth(emergence="shuffled", n_base_queries=2)).emergence_depths
    assert sorted(planned) == sorted(dealt)
    assert planned.tolist() != dealt.tolist()


def test_one_way_removal_hurts_the_dependent_task_only() -> None:
    truth = PlantedTruth("one_way", n_base_queries=100, signal=2.0)
    source = simulate(truth)
    X, responses = source.features(2, "last").astype(float), source.responses
    strong, dependent = (TASKS.index(task) for task in ONE_WAY)

    def drop(task: int, removed: int) -> float:
        rows = (responses["task"] == TASKS[task]).to_numpy() & responses["constrained"].to_numpy(dtype=bool)
        satisfied = (responses["verdict"][rows] == "satisfied").to_numpy()
        own, other = source.directions[task], source.directions[removed]
        left = X[rows] - np.outer(X[rows] @ other, other)
        return auroc(satisfied, X[rows] @ own) - auroc(satisfied, left @ (own - (own @ other) * other))

    assert drop(dependent, strong) > 0.05
    assert drop(strong, dependent) < 0.01


def test_words_and_length_give_a_surface_cue_away_and_nothing_else_does() -> None:
    def length_auroc(mechanism: Carrier) -> float:
        responses = simulate(PlantedTruth(mechanism, n_base_queries=60)).responses
        satisfied = (responses["verdict"] == "satisfied").to_numpy()
        return auroc(satisfied, responses["n_tokens"].to_numpy(dtype=float))

    assert length_auroc("surface") < 0.42
    assert abs(length_auroc("separate") - 0.5) < 0.04


def test_base_queries_move_labels_and_activations_together_with_their_responses() -> None:
    source = simulate(PlantedTruth("null", n_base_queries=40, samples=6, d_model=64))
    responses = source.responses[source.responses["constrained"] & (source.responses["task"] == "topic")]
    X = source.features(1, "last")[responses.index]
    X = X - X.mean(axis=0)
    same = responses["base_query"].to_numpy()[:, None] == responses["base_query"].to_numpy()
    np.fill_diagonal(same, False)
    products = X @ X.T / X.shape[1]
    assert products[same].mean() > 0.2
    assert abs(products[~same].mean()) < 0.05


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"d_model": 4}, "d_model is 4"),
        ({"samples": 0}, "must be positive"),
        ({"mechanism": "magic"}, "magic"),
        ({"positions": ("middle",)}, "middle"),
    ],
)
def test_an_impossible_truth_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PlantedTruth(**wrong)  # type: ignore[arg-type]


def test_unknown_layers_and_positions_are_refused() -> None:
    source = simulate(PlantedTruth(n_base_queries=2, n_layers=2, positions=("last",)))
    for layer, position in ((2, "last"), (0, "eos")):
        with pytest.raises(InputError, match="no layer"):
            source.features(layer, position)


@pytest.mark.parametrize("cosine", [0.0, 0.5, 1.0])
def test_directions_lie_at_the_planted_angle(cosine: float) -> None:
    directions = simulate(PlantedTruth(cosine=cosine, n_base_queries=2, d_model=9)).directions
    expected = np.where(np.eye(9, dtype=bool), 1.0, cosine)
    np.testing.assert_allclose(directions @ directions.T, expected, atol=1e-12)


@pytest.mark.parametrize("given", [{"cosine": 1.5}, {"cosine": 0.5, "mechanism": "families"}])
def test_an_angle_that_cannot_be_planted_is_refused(given: dict) -> None:
    with pytest.raises(InputError, match="cosine is"):
        PlantedTruth(**given)


@pytest.mark.parametrize("mechanism", ["separate", "surface"])
def test_pairs_hold_the_text_fixed_so_only_a_relation_tells_their_labels_apart(mechanism: Carrier) -> None:
    source = simulate(PlantedTruth(mechanism, n_base_queries=60, signal=2.0, pairs=True))
    pairs = source.counterfactual
    assert pairs is not None
    assert pairs.base_queries == source.base_queries
    rows = pairs.responses
    assert rows["response_id"].is_unique
    assert "toxicity" not in set(rows["task"])
    for _, pair in rows.groupby("pair"):
        assert sorted(pair["verdict"]) == ["satisfied", "violated"]
        assert pair["response"].nunique() == 1
        assert pair["prompt"].nunique() == 2
    satisfied = (rows["verdict"] == "satisfied").to_numpy()

    def along(position: str) -> float:
        X, task = pairs.features(2, position), rows["task"].to_numpy()
        found = [
            auroc(satisfied[task == name], X[task == name] @ source.directions[TASKS.index(name)])
            for name in np.unique(task)
        ]
        return float(np.mean(found))

    assert abs(along("prompt_end") - 0.5) < 0.03
    assert along("last") == pytest.approx(TWO_SIGMA if mechanism == "separate" else 0.5, abs=0.03)


def test_a_study_holds_pairs_only_when_asked_for() -> None:
    assert simulate(PlantedTruth(n_base_queries=2)).counterfactual is None
