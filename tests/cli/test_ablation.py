import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import if_circuits as ifc
from if_circuits.cli import main as cli
from if_circuits.cli.ablation import find_study, prompt_task, target
from if_circuits.cli.side_by_side import print_side_by_side
from if_circuits.errors import InputError
from if_circuits.interventions.subspace import Subspace
from if_circuits.probes.linear import LinearProbe
from if_circuits.study import Study
from if_circuits.study.targets import FittedTarget, ReadResponse, Target
from if_circuits.tasks.judges.registry import judges
from if_circuits.tasks.verification import verify


def test_targets_are_read_from_text() -> None:
    assert target("word_count@4") == ("word_count", 4)
    assert target("topic@embed") == ("topic", -1)
    assert str(Target("topic", -1)) == "topic@embed"


@pytest.mark.parametrize("text", ["word_count", "word_count@", "@4", "word_count@four", ""])
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="TASK@LAYER"):
        target(text)


def test_a_missing_study_is_named_with_the_command_that_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="`if-circuits run if-tiny --out runs/if-tiny`"):
        find_study("if-tiny", None)
    (tmp_path / "runs" / "if-tiny").mkdir(parents=True)
    assert find_study("if-tiny", None) == Path("runs/if-tiny")


def test_parameters_are_those_of_the_one_ablated_task() -> None:
    count, topic = Target("word_count", 4), Target("topic", 3)
    task, parameters = prompt_task("Eight words!", [count], '{"n": 8}') or pytest.fail("none")
    assert (task.name, parameters) == ("word_count", {"n": 8})
    assert prompt_task("Eight words!", [count], None) is None
    recognised = prompt_task("Write a note. Use the word river.", [count], None) or pytest.fail("none")
    assert recognised[0].name == "term_inclusion"
    for targets, text in (
        ([count], "8"),
        ([count], '{"m": 8}'),
        ([count], "{"),
        ([count, topic], '{"n": 8}'),
    ):
        with pytest.raises(InputError, match="--parameters"):
            prompt_task("Eight words!", targets, text)
    with pytest.raises(InputError, match="unknown task 'rhyme'"):
        prompt_task("Rhyme!", [Target("rhyme", 1)], None)


def test_both_answers_are_shown_with_verdicts_and_readings(capsys: pytest.CaptureFixture[str]) -> None:
    unit, zero = np.ones(2), np.zeros(2)
    probe = LinearProbe(zero, 0.0, zero, unit, C=1.0, converged=True, n=7, n_over_d=3.5)
    space = Subspace.orthonormalise(np.eye(2)[:1], name="word_count@4")
    fitted = [FittedTarget(Target("word_count", 4), space, probe, "INLP", "last", 7)]
    baseline = ReadResponse(
        "the river", ("the", " river"), False, "satisfied", "2 words", (np.array([0.1, 1.0]),)
    )
    ablated = ReadResponse(
        "a [bold] sea",
        ("a", " [bold]", " sea"),
        False,
        "violated",
        "3 words",
        (np.array([0.5, 0.5, 0.0]),),
    )
    print_side_by_side(baseline, ablated, fitted, task="word_count")
    out = capsys.readouterr().out
    for part in (
        "word_count@4 (INLP, rank 1)",
        "the river",
        "a [bold] sea",
        "satisfied: 2 words",
        "violated: 3 words",
        "▁█  1.00 at the last",
        "▅▅▁  0.00 at the last",
        "on 7 responses",
    ):
        assert part in out


SENTIMENT = "Write a short note about the river. Sound positive."


CUT = 8
"""Tokens of an answer at most: if-tiny's own to `SENTIMENT` is longer."""


@pytest.fixture(scope="module", autouse=True)
def own_judge() -> Iterator[None]:
    """A judge that is nobody's default, and agrees with none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judges, "_registered", dict(judges._registered))  # pyright: ignore[reportPrivateUsage]

        @ifc.judge("odd-or-even")
        def odd_or_even(text: str) -> tuple[str, float]:
            return ("positive" if len(text) % 2 else "negative"), float(len(text))

        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that is not as if-tiny's preset says: another judge, a short length, another erasure."""
    root = tmp_path_factory.mktemp("ablation") / "study"
    small = ["--tasks", "sentiment", "--base-queries", "20", "--prompts-per-query", "2", "--no-greedy"]
    few = ["--analyses", "layer_stratification", "--bootstrap", "10", "--permutations", "10"]
    own = ["--judge", "sentiment=odd-or-even", "--max-new-tokens", str(CUT), "--erasure", "mean_difference"]
    assert cli.main(["run", "if-tiny", "--out", str(root), *small, *few, *own]) == 0
    return root


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    ask = ["generate", "if-tiny", "--prompt", SENTIMENT, "--json"]
    assert cli.main([*ask, *arguments]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_a_prompt_is_answered_both_ways_as_the_study_was_run(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = asked(capsys, "--ablate", "sentiment@4", "--study", str(study))
    assert (both["task"], both["judge"], both["parameters"]) == (
        "sentiment",
        "odd-or-even",
        {"sentiment": "positive"},
    )
    assert both["targets"] == [
        {
            "task": "sentiment",
            "layer": 4,
            "method": "difference in means",
            "rank": 1,
            "position": "last",
            "n": len(Study.open(study).responses.query("constrained and verdict != 'undecided'")),
        }
    ]
    alone = asked(capsys, "--greedy", "--max-new-tokens", str(CUT))
    assert both["baseline"]["text"] == alone["response"]
    assert both["baseline"]["n_tokens"] == CUT
    for name in ("baseline", "ablated"):
        answer = both[name]
        (judged,) = verify(
            pd.DataFrame(
                {
                    "task": ["sentiment"],
                    "parameters": ['{"sentiment": "positive"}'],
                    "response": answer["text"],
                }
            ),
            chosen=[("sentiment", "odd-or-even")],
        ).to_dict("records")
        assert (answer["verdict"], answer["reason"]) == (judged["verdict"], judged["reason"])
        assert answer["n_tokens"] <= CUT
        assert answer["truncated"] is (answer["n_tokens"] == CUT)
        (reading,) = answer["readings"]
        assert (reading["task"], reading["layer"]) == ("sentiment", 4)
        assert len(reading["probabilities"]) == answer["n_tokens"]
        assert all(0 <= value <= 1 for value in reading["probabilities"])
    assert both["baseline"]["readings"] != both["ablated"]["readings"]


@pytest.mark.slow
def test_what_the_command_line_says_goes_before_the_study(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = asked(capsys, "--ablate", "sentiment@4", "--study", str(study), "--max-new-tokens", "5")
    assert max(both[name]["n_tokens"] for name in ("baseline", "ablated")) == 5


@pytest.mark.slow
def test_a_task_that_the_study_lacks_is_refused(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["generate", "if-tiny", "--prompt", SENTIMENT, "--study", str(study)]
    assert cli.main([*ask, "--ablate", "topic@4"]) == 2
    assert "no task 'topic', only sentiment" in capsys.readouterr().err
