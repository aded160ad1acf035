"""Edges between tasks: from made shifts, and between the planted tasks of a model."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import if_circuits as ifc
from if_circuits.activations.captured import CapturedActivations
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.localisation.analysis import pairs_of
from if_circuits.analyses.localisation.dependencies import measure_dependencies
from if_circuits.analyses.localisation.edges import Cell, edge_table, isolation_table
from if_circuits.analyses.localisation.experiment import Experiment
from if_circuits.analyses.localisation.plain_prompts import SAID_TWICE, TAKE_BACK, TAKEN_BACK, plain_prompts
from if_circuits.analyses.localisation.shifts import Shifts
from if_circuits.analyses.shared.families import families_of
from if_circuits.analyses.shared.labelled_tasks import labelled_tasks, query_halves
from if_circuits.io.kept import Kept
from if_circuits.models.loading import LoadedModel, locate
from if_circuits.planting.mechanism import load_mechanism

SETTINGS = AnalysisSettings(n_bootstrap=300, n_permutations=400)
TASKS = ("sentiment", "register", "topic")
FAMILIES = {"sentiment": "semantic", "register": "stylistic", "topic": "semantic"}


def shifts(task: str, share: float, *, placebo: float = 0.0, noise: float = 0.3, seed: int = 0) -> Shifts:
    rng = np.random.default_rng(seed)
    n = 24
    return Shifts(
        task=task,
        place={"direction": "takes", "position": "all", "layer": 2, "subspace": "s"},
        queries=np.array([f"query {i:02d}" for i in range(n)]),
        towards=5 * share + noise * rng.normal(size=n),
        full=5 + noise * rng.normal(size=n),
        placebo=5 * placebo + noise * rng.normal(size=n),
        damage=np.zeros(n),
    )


def cells(**shares: float) -> dict[Cell, Shifts]:
    """Cells of removal, with the shares named as `a__b`; the diagonal is 1, all else 0."""
    return {
        ("removal", a, b): shifts(b, shares.get(f"{a}__{b}", float(a == b)), seed=i)
        for i, (a, b) in enumerate(product(TASKS, TASKS))
    }


def found(table: pd.DataFrame) -> set[tuple[str, str]]:
    return set(table.loc[table["survives"], ["changed", "measured"]].itertuples(index=False, name=None))


def test_an_edge_exceeds_its_placebo_and_the_least_share_and_points_one_way() -> None:
    table = edge_table(cells(register__topic=0.6, sentiment__register=0.04), FAMILIES, SETTINGS)
    assert found(table) == {("register", "topic")}
    at = table.set_index(["changed", "measured"])
    assert at.loc[("register", "topic"), "one_way"] and at["one_way"].sum() == 1
    assert at.loc[("register", "topic"), "beyond_reverse"] == pytest.approx(0.6, abs=0.05)
    assert at.loc[("register", "topic"), "stability"] == 1.0
    assert at.loc[("sentiment", "register"), "p_adjusted"] < 0.05  # seen, and too small to be an edge
    assert at.loc[("sentiment", "register"), "stability"] < 0.05
    assert at.loc[[(name, name) for name in TASKS], "p_adjusted"].isna().all()


def test_a_shared_mechanism_is_no_one_way_dependency() -> None:
    table = edge_table(cells(sentiment__topic=0.8, topic__sentiment=0.7), FAMILIES, SETTINGS)
    assert found(table) == {("sentiment", "topic"), ("topic", "sentiment")}
    assert not table["one_way"].any()


def test_what_any_displacement_of_that_length_does_is_no_edge() -> None:
    made = cells()
    made["removal", "register", "topic"] = shifts("topic", 0.6, placebo=0.6, noise=1.0)
    table = edge_table(made, FAMILIES, SETTINGS)
    assert found(table) == set()


def test_without_a_difference_between_the_prompts_there_is_no_edge() -> None:
    made = cells(register__topic=0.6)
    lost = made["removal", "register", "topic"]
    nothing = np.random.default_rng(5).normal(size=len(lost.full))
    made["removal", "register", "topic"] = Shifts(**{**vars(lost), "full": nothing})
    assert found(edge_table(made, FAMILIES, SETTINGS)) == set()


def test_nothing_planted_is_seldom_an_edge() -> None:
    false = [
        len(found(edge_table(
            {key: shifts(key[2], float(key[1] == key[2]), noise=3.0, seed=100 * draw + i)
             for i, key in enumerate(cells())}, FAMILIES, SETTINGS,
        )))
        for draw in range(20)
    ]  # fmt: skip
    assert sum(false) <= 4  # of 120 cells; the least share alone lets few noisy ones through


def test_a_direction_of_one_task_alone_is_isolated() -> None:
    table = isolation_table(edge_table(cells(register__topic=1.0), FAMILIES, SETTINGS)).set_index("changed")
    assert table.loc["sentiment", "cause"] == pytest.approx(1.0, abs=0.05)
    assert table.loc["sentiment", "isolation"] == pytest.approx(1.0, abs=0.05)
    assert table.loc["register", "isolation"] == pytest.approx(0.5, abs=0.05)
    assert table.loc["register", "cause_and_isolation"] == pytest.approx(0.75, abs=0.05)


@pytest.fixture(scope="module")
def planted() -> tuple[LoadedModel, CapturedActivations, int]:
    """Sentiment and topic share a direction; topic needs that of register too, and not the reverse."""
    name = "if-tiny-clustered"
    model, mechanism = ifc.load_model(name), load_mechanism(Path(locate(name).source))
    rows = ifc.respond(model, ifc.prompts(TASKS, n=80, counterparts=True), progress=False)
    return model, ifc.capture(model, rows, layers=[mechanism.layer], progress=False), mechanism.layer


@pytest.mark.slow
def test_the_planted_dependencies_are_found_and_no_others(planted) -> None:
    model, source, layer = planted
    pairs = pairs_of(source.responses, SETTINGS)
    labelled = {task.name: task for task in labelled_tasks(source, "last")}
    tasks = {
        name: (pairs[pairs["task"] == name].reset_index(drop=True), labelled[name])
        for name in families_of(source.responses)
    }
    halves = query_halves(source, seed=0)
    experiment = Experiment(model, source, tasks, halves, SETTINGS, tokens=32, kept=Kept())
    edges, isolation = measure_dependencies(experiment, dict.fromkeys(tasks, layer))
    truth = {("sentiment", "topic"), ("register", "topic")}
    for _, rows in edges.groupby("way"):
        assert found(rows) - {("topic", "sentiment")} == truth  # the reverse of a shared one, if it is tested
    score = isolation.set_index(["way", "changed"])["isolation"]
    assert (score < 0.85).all()  # each of them moves topic as well


@pytest.mark.slow
def test_a_plain_prompt_is_read_as_the_model_reads_it(planted) -> None:
    model, source, _ = planted
    pairs = pairs_of(source.responses, SETTINGS).groupby("task").head(6).reset_index(drop=True)
    table = plain_prompts(model, source, pairs, settings=SETTINGS, tokens=16).set_index(["task", "sentence"])
    assert len(table) == 2 * pairs["task"].nunique()

    text_of = {tuple(row.prompt_tokens): row.prompt for row in source.responses.itertuples()}
    moved: dict[str, list[float]] = {TAKEN_BACK: [], SAID_TWICE: [], "full": []}
    for pair in pairs[pairs["task"] == "sentiment"].itertuples():
        asks, other = text_of[tuple(pair.prompt_tokens)], text_of[tuple(pair.source_tokens)]
        prompts = {
            "asks": asks,
            "full": other,
            TAKEN_BACK: f"{asks} {TAKE_BACK}",
            SAID_TWICE: f"{asks} {asks.removeprefix(other).strip()}",
        }
        odds = {
            name: _log_probability(model, prompt, pair.satisfied_tokens[:16])
            - _log_probability(model, prompt, pair.violated_tokens[:16])
            for name, prompt in prompts.items()
        }
        for name in moved:
            moved[name].append(odds[name] - odds["asks"])
    for name in (TAKEN_BACK, SAID_TWICE):
        expected = np.mean(moved[name]) / np.mean(moved["full"])
        assert table.loc[("sentiment", name), "share"] == pytest.approx(expected, abs=1e-3)


def _log_probability(model: LoadedModel, prompt: str, text: list[int]) -> float:
    """By one plain pass over all tokens, without batches, stems or hooks."""
    ids = [*model.chat.encode([prompt])[0], *map(int, text)]
    with torch.no_grad():
        logits = model.bridge(torch.tensor([ids]), return_type="logits")[0].double().log_softmax(-1)
    start = len(ids) - len(text)
    return sum(float(logits[at - 1, ids[at]]) for at in range(start, len(ids)))
