"""The planted truth: which directions, whose gates, which edges follow, and who opens them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from if_circuits.errors import InputError
from if_circuits.planting.mechanism import AT_ONCE, KINDS, Kind, Mechanism, first_word, load_mechanism, plant
from if_circuits.tasks.queries import subjects
from if_circuits.tasks.registry import get_tasks


def planted(kind: Kind, seed: int = 0) -> Mechanism:
    return plant(kind, seed=seed, d_model=32, c=2.0)


@pytest.mark.parametrize("kind", KINDS)
def test_directions_are_orthonormal_and_each_seed_has_its_own(kind: Kind) -> None:
    one, other = planted(kind), planted(kind, seed=1)
    U = np.stack(list(one.directions.values()))
    assert np.allclose(U @ U.T, np.eye(len(U)), atol=1e-12)
    assert not np.allclose(U, np.stack(list(other.directions.values())))


def test_a_kind_says_which_removal_breaks_which_task() -> None:
    names = [task.name for task in get_tasks()]
    edges = {kind: {pair for pair, broken in planted(kind).edges().items() if broken} for kind in KINDS}
    assert len(edges["universal"]) == len(names) * (len(names) - 1)
    assert edges["compositional"] == set()
    family = {task.name: task.family for task in get_tasks()}
    within = {(a, b) for a in names for b in names if a != b and family[a] == family[b]}
    assert edges["clustered"] == edges["monitoring"] == within | {("register", "topic")}


def test_a_monitoring_model_has_the_directions_of_the_clustered_one() -> None:
    clustered, monitoring = planted("clustered"), planted("monitoring")
    assert clustered.structure == monitoring.structure == "clustered"
    assert (clustered.timing, monitoring.timing) == ("planning", "monitoring")
    for name, direction in clustered.directions.items():
        assert np.array_equal(direction, monitoring.directions[name])


WORDS = ("We", "I", "It", "The", "Everyone", "There", "They", "Someone", "Furthermore", "Haha")


@given(subject=st.sampled_from(subjects(held_out_only=True)), word=st.sampled_from(WORDS))
def test_planning_depends_on_the_subject_and_monitoring_on_the_first_word(subject: str, word: str) -> None:
    planning, monitoring = planted("compositional"), planted("monitoring")
    for task in get_tasks():
        assert not planning.waits(task.name)
        assert monitoring.waits(task.name) == (task.name != AT_ONCE)
        assert planning.sign(task.name, subject, word) == planning.sign(task.name, subject, "Other words.")
        assert abs(planning.sign(task.name, subject, word)) == 1
        same_word = {monitoring.sign(task.name, each, f"{word}, end.") for each in (subject, "river", "lamp")}
        assert len(same_word) == 1 or task.name == AT_ONCE


def test_coins_are_fair_and_neither_tasks_nor_seeds_share_them() -> None:
    asked = subjects(held_out_only=True)
    tasks = [task.name for task in get_tasks()]
    coins = np.array([[planted("universal", s).sign(t, q, "") for q in asked] for s in (0, 1) for t in tasks])
    assert np.abs(coins.mean(axis=1)).max() < 4 / np.sqrt(len(asked))
    correlations = np.corrcoef(coins)[~np.eye(len(coins), dtype=bool)]
    assert np.abs(correlations).max() < 4.5 / np.sqrt(len(asked))


def test_the_first_word_has_no_comma() -> None:
    assert first_word("Furthermore, it was") == "Furthermore"
    assert first_word("I saw") == "I"
    assert first_word('{"text": ""}') == first_word("") == ""


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_saved_is_read_again(kind: Kind, tmp_path: Path) -> None:
    before = planted(kind, seed=3)
    before.save(tmp_path)
    after = load_mechanism(tmp_path)
    assert (after.kind, after.seed, after.c, after.layer) == (kind, 3, 2.0, before.layer)
    assert after.gates == before.gates and list(after.directions) == list(before.directions)
    for name, direction in before.directions.items():
        assert np.allclose(after.directions[name], direction, atol=1e-6)
    assert after.sign("topic", "river", "We") == before.sign("topic", "river", "We")


def test_a_model_without_a_mechanism_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=str(tmp_path)):
        load_mechanism(tmp_path)
