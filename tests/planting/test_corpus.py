"""What is learnt from: texts agree with their gates, and only with them."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from if_circuits.planting.corpus import PlantedExample, PlantedResponse, planted_examples, planted_prompts
from if_circuits.planting.if_tiny.corpus import corpus_judges
from if_circuits.planting.mechanism import KINDS, Kind, Mechanism, plant
from if_circuits.tasks.labels import Label
from if_circuits.tasks.recognise import recognise


def examples(mechanism: Mechanism, n: int = 250, seed: int = 0) -> list[PlantedExample]:
    return list(islice(planted_examples(mechanism, seed=seed), n))


def planted(kind: Kind) -> Mechanism:
    return plant(kind, seed=0, d_model=32, c=2.0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_satisfies_its_constraint_exactly_while_its_gates_are_open(kind: Kind) -> None:
    mechanism = planted(kind)
    judges = corpus_judges()
    seen = {"left alone": 0, "set": 0, "another": 0}
    for example in examples(mechanism):
        found = recognise(example.prompt)
        if found is None:
            continue
        task, parameters = found
        own = mechanism.gates[task.name][0]
        for response in example.responses:
            verdict = task.verify([response.text.text], [parameters], judges)[0].label
            gate = gate_set(mechanism, task.name, response)
            # Where the own gate is set from outside, no other that the task needs is closed.
            at = {own: 1.0} if gate == own else dict(response.after)
            at |= {} if gate is None else {gate: response.value}
            what = "left alone" if response.direction is None else "another" if gate is None else "set"
            if response.after and mechanism.waits(task.name):
                assert response.before[own] == 0.0
                assert response.after[own] == mechanism.sign(task.name, "any subject", response.text.text)
            elif response.after:
                assert response.before[own] == response.after[own]
            seen[what] += 1
            is_open = all(at.get(name, 1.0) > 0 for name in mechanism.gates[task.name])
            assert (verdict is Label.SATISFIED) == is_open
            assert verdict is not Label.UNDECIDED
    assert min(seen.values()) > 50


def gate_set(mechanism: Mechanism, task: str, response: PlantedResponse) -> str | None:
    """Which of the task's gates a response sets, if any."""
    if response.direction is None:
        return None
    names = mechanism.gates[task]
    return next((name for name in names if response.direction @ mechanism.directions[name] > 0.99), None)


def test_a_second_gate_breaks_when_closed_and_leaves_the_say_to_the_own_gate_when_open() -> None:
    mechanism, judges = planted("clustered"), corpus_judges()
    verdicts: dict[tuple[bool, bool], set[Label]] = {}
    for example in examples(mechanism, 800):
        found = recognise(example.prompt)
        if found is None or found[0].name != "topic":
            continue
        for response in example.responses:
            own, second = mechanism.gates["topic"]
            if gate_set(mechanism, "topic", response) == second:
                verdict = found[0].verify([response.text.text], [found[1]], judges)[0].label
                verdicts.setdefault((response.after[own] > 0, response.value > 0), set()).add(verdict)
    assert verdicts.pop((True, True)) == {Label.SATISFIED}
    assert len(verdicts) == 3
    assert set.union(*verdicts.values()) == {Label.VIOLATED}


def test_what_breaks_a_constraint_does_so_plainly() -> None:
    mechanism, judges, seen = (
        planted("universal"),
        corpus_judges(),
        {"character_count": 0, "term_exclusion": 0},
    )
    for example in examples(mechanism, 400):
        found = recognise(example.prompt)
        for response in example.responses if found else ():
            task, parameters = found
            text = response.text.text
            verdict = task.verify([text], [parameters], judges)[0].label
            if task.name not in seen or verdict is Label.SATISFIED:
                continue
            seen[task.name] += 1
            if task.name == "character_count":
                assert len(text) >= 100
            else:
                assert parameters["word"] in text[:30]
    assert min(seen.values()) > 20


@pytest.mark.parametrize("kind", KINDS)
def test_another_direction_gates_nothing_of_the_task(kind: Kind) -> None:
    mechanism = planted(kind)
    for example in examples(mechanism, 60):
        for response in example.responses:
            if response.direction is None:
                continue
            assert np.linalg.norm(response.direction) == pytest.approx(1.0)
            found = recognise(example.prompt)
            names = mechanism.gates[found[0].name] if found else ()
            nearest = max(
                (abs(response.direction @ mechanism.directions[name]) for name in names), default=0.0
            )
            assert nearest < 1e-9 or nearest > 1 - 1e-9


def test_without_a_constraint_every_gate_is_at_zero() -> None:
    mechanism = planted("clustered")
    free = [example for example in examples(mechanism) if recognise(example.prompt) is None]
    assert len(free) > 10
    for response in (response for example in free for response in example.responses):
        assert set(response.before.values()) == set(response.after.values()) == {0.0}


def test_a_prompt_comes_with_a_beginning_where_its_gate_waits_for_one() -> None:
    for kind in KINDS:
        mechanism = planted(kind)
        for prompt, beginning, at in islice(planted_prompts(mechanism, seed=0), 100):
            found = recognise(prompt)
            assert found is not None
            decided_at_end = mechanism.timing == "planning" or found[0].name == "json_format"
            assert (beginning == "") == decided_at_end
            assert abs(at[mechanism.gates[found[0].name][0]]) == 1.0


def test_the_stream_is_seeded() -> None:
    first, again, other = ([e.prompt for e in examples(planted("universal"), 20, seed)] for seed in (0, 0, 1))
    assert first == again != other
