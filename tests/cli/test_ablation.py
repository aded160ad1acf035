import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from if_circuits.cli import main as cli
from if_circuits.cli.ablation import Answer, Fitted, Target, find_study, prompt_task, target
from if_circuits.cli.side_by_side import print_side_by_side
from if_circuits.errors import InputError
from if_circuits.interventions.subspace import Subspace
from if_circuits.probes.linear import LinearProbe


def test_targets_are_read_from_text() -> None:
    assert target("word_count@4") == Target("word_count", 4)
    assert target("topic@embed") == Target("topic", -1)
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
    fitted = [Fitted(Target("word_count", 4), space, probe, 7)]
    baseline = Answer("the river", ("the", " river"), True, "2 words", (np.array([0.1, 1.0]),))
    ablated = Answer("a [bold] sea", ("a", " [bold]", " sea"), False, "3 words", (np.array([0.5, 0.5, 0.0]),))
    print_side_by_side(baseline, ablated, fitted, task="word_count")
    out = capsys.readouterr().out
    for part in (
        "word_count@4 (rank 1)",
        "the river",
        "a [bold] sea",
        "satisfied: 2 words",
        "violated: 3 words",
        "▁█  1.00 at the last",
        "▅▅▁  0.00 at the last",
        "on 7 responses",
    ):
        assert part in out


@pytest.mark.slow
def test_a_prompt_is_answered_both_ways_from_a_finished_study(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, prompt = str(tmp_path / "study"), "Write a short note about the river. Use exactly 8 words."
    small = ["--tasks", "word_count", "--base-queries", "20", "--analyses", "specificity", "--no-greedy"]
    few = ["--bootstrap", "10", "--permutations", "10", "--random-subspaces", "1"]
    assert cli.main(["run", "if-tiny", "--out", root, *small, *few]) == 0
    capsys.readouterr()
    ask = ["generate", "if-tiny", "--prompt", prompt, "--json"]
    assert cli.main([*ask, "--ablate", "word_count@4", "--study", root]) == 0
    both = json.loads(capsys.readouterr().out)
    assert cli.main([*ask, "--greedy"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert set(both) == {"prompt", "baseline", "ablated"}
    assert both["prompt"] == prompt
    assert both["baseline"]["text"] == alone["response"]
    for answer in (both["baseline"], both["ablated"]):
        assert answer["satisfied"] is (len(answer["text"].split()) == 8)
    assert both["ablated"]["text"] != both["baseline"]["text"]
    assert cli.main([*ask, "--ablate", "topic@4", "--study", root]) == 2
    assert "no task 'topic', only word_count" in capsys.readouterr().err
