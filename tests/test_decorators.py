"""The decorators for what users add: a task, a judge, a probe, an erasure method, a preset is a function."""

# ruff: noqa: ARG005 - functions of users, some of which look at nothing

import doctest
import importlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from if_circuits.erasure.base import erasure_method, erasure_methods
from if_circuits.errors import InputError
from if_circuits.models.presets import preset, presets
from if_circuits.probes.base import probe_method, probes
from if_circuits.tasks.judges.base import Judgement
from if_circuits.tasks.judges.registry import judge, judges
from if_circuits.tasks.registry import get_task, get_tasks, task, tasks
from if_circuits.tasks.verification import verify

REGISTRIES = (
    "if_circuits.tasks.registry",
    "if_circuits.tasks.judges.registry",
    "if_circuits.probes.base",
    "if_circuits.erasure.base",
    "if_circuits.models.presets",
)


@pytest.mark.parametrize("name", REGISTRIES)
def test_the_example_of_every_decorator_runs(name: str):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0


def test_running_a_definition_again_replaces_it_and_another_one_is_refused():
    def define(label: str) -> None:
        @judge("again")
        def again(text: str) -> str:
            del text
            return label

    define("first")
    define("second")
    assert judges.get("again")().judge(["x"])[0].label == "second"
    with pytest.raises(InputError, match="registered already"):
        judge("again")(lambda text: text)


@pytest.mark.parametrize(
    ("settings", "check", "message"),
    [
        ({"paraphrases": ["Say {word}."]}, lambda response, *, word: True, "takes word, which nothing gives"),
        ({"paraphrases": ["Say {word}."]}, lambda response: True, "names word, which nothing draws"),
        ({"draw": {"n": [1]}}, lambda response: True, "does not take n"),
        ({"draw": {"n": []}}, lambda response, *, n: True, "nothing to draw n from"),
        ({}, lambda: True, r"called with response by position .* but takes \(\)"),
        ({"judge": "tone"}, lambda: True, "called with judgement by position"),
        ({"paraphrases": "Shout."}, lambda response: True, "expected a list of one wording or more"),
        ({"request": "Write."}, lambda response: True, "with {subject}"),
    ],
)
def test_a_task_whose_parts_do_not_fit_is_refused_with_what_was_expected(
    settings: dict[str, Any], check: Callable[..., bool], message: str
):
    with pytest.raises(InputError, match=message):
        task("odd", family="sound", **{"paraphrases": ["Shout."], **settings})(check)
    assert "odd" not in tasks.names()


@pytest.mark.parametrize(
    "answer", [None, "yes", 1, re.match("a", "a"), (None, "no return"), (True, "a", "b")]
)
def test_an_answer_that_is_no_truth_value_never_counts_as_satisfied(answer: object):
    task("careless", family="sound", paraphrases=["Shout."])(lambda response: answer)
    rows = pd.DataFrame({"task": "careless", "parameters": "{}", "response": ["a text"]})
    found = verify(rows).iloc[0]
    assert found["verdict"] == "undecided"
    assert "expected True, False or a Label" in found["reason"]


@pytest.mark.parametrize("name", [one.name for one in get_tasks()])
def test_no_verifier_that_fails_calls_a_response_satisfied(name: str):
    """Whatever breaks, in the check or in its judge, leaves the response undecided."""

    class Broken:
        name = "broken"

        def judge(self, texts: Sequence[str]) -> list[Judgement]:
            raise RuntimeError(f"out of order for {len(texts)} texts")

    one = get_task(name)
    rows = pd.DataFrame({"task": name, "parameters": json.dumps({"no_such": 1}), "response": ["a text"]})
    broken = {} if one.judge is None else {one.judge: Broken()}
    assert verify(rows, broken)["verdict"].tolist() == ["undecided"]


def test_a_judged_task_asks_its_judge_and_leaves_open_what_the_judge_does():
    @judge("tone")
    def tone(text: str) -> tuple[str | None, float]:
        return (None if "?" in text else "loud" if text.isupper() else "calm"), len(text)

    @task("volume", family="sound", judge="tone", draw={"tone": ["loud", "calm"]}, paraphrases=["Be {tone}."])
    def volume(judgement: Judgement, *, tone: str) -> bool:
        return judgement.label == tone

    rows = pd.DataFrame(
        {"task": "volume", "parameters": '{"tone": "loud"}', "response": ["HO", "ho", "what?"]}
    )
    assert verify(rows)["verdict"].tolist() == ["satisfied", "violated", "undecided"]


def test_plain_functions_become_probes_and_erasures_of_the_right_rank():
    X = np.random.default_rng(0).normal(size=(60, 4))
    y = X[:, 1] + 0.1 * X[:, 2] > 0
    probe_method("second")(lambda X, y: np.eye(4)[1])
    scores = probes.get("second")(X, y, groups=np.arange(60), seed=0).scores(X)
    assert np.corrcoef(scores, X[:, 1])[0, 1] == pytest.approx(1.0)
    erasure_method("pair")(lambda X, y, *, seed: np.eye(4)[:2])
    left = erasure_methods.get("pair")().fit(X, y, groups=np.arange(60), seed=0).remove(X)
    np.testing.assert_allclose(left[:, :2], np.broadcast_to(X[:, :2].mean(axis=0), (60, 2)))
    np.testing.assert_allclose(left[:, 2:], X[:, 2:])


@pytest.mark.parametrize("answer", [None, np.zeros(3), np.full(4, np.nan), "direction"])
def test_a_probe_or_erasure_of_the_wrong_shape_is_refused(answer: object):
    X, y, groups = np.eye(4), np.arange(4) > 1, np.arange(4)
    probe_method("odd")(lambda X, y: answer)
    erasure_method("odd")(lambda X, y: answer)
    with pytest.raises(InputError, match="expected a finite direction"):
        probes.get("odd")(X, y, groups=groups, seed=0)
    with pytest.raises(InputError, match="expected finite directions"):
        erasure_methods.get("odd")().fit(X, y, groups=groups, seed=0)


@pytest.mark.parametrize("decorator", [probe_method, erasure_method])
def test_a_method_that_takes_something_else_is_refused(decorator: Callable[[str], Callable[..., Any]]):
    with pytest.raises(InputError, match="takes folds, which nothing gives; given is groups, seed"):
        decorator("odd")(lambda X, y, *, folds: X)


def test_a_preset_is_a_function_that_says_where_the_model_lies(tmp_path: Path):
    @preset("mine", max_new_tokens=12)
    def mine() -> Path:
        """A model of mine."""
        return tmp_path

    found = presets.get("mine")
    assert (found.source, found.max_new_tokens, found.description) == (str(tmp_path), 12, "A model of mine.")
    with pytest.raises(InputError, match="a preset has no max_tokens; expected some of batch_size"):
        preset("other", max_tokens=12)
    with pytest.raises(InputError, match="expected a hub name or a directory"):
        preset("other")(lambda: 3)
