"""What is learnt from: texts agree with their gates, and only with them."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from if_circuits.if_tiny.corpus import corpus_judges
from if_circuits.if_tiny.mechanism import KINDS, Kind, Mechanism, plant
from if_circuits.if_tiny.planted_corpus import PlantedExample, planted_examples, planted_prompts
from if_circuits.tasks.base import Verdict
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
        own = [mechanism.directions[name] for name in mechanism.gates[task.name]]
        for response in example.responses:
            verdict = task.verify([response.text.text], [parameters], judges)[0].verdict
            sets_own = response.direction is not None and max(abs(response.direction @ u) for u in own) > 0.99
            if sets_own:
                is_open, what = response.value > 0, "set"
            else:
                is_open = all(response.after[name] > 0 for name in mechanism.gates[task.name])
                what = "left alone" if response.direction is None else "another"
            seen[what] += 1
            assert (verdict is Verdict.SATISFIED) == is_open
            assert verdict is not Verdict.UNDECIDED
    assert min(seen.values()) > 50


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
