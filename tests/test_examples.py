"""The examples, run by their own path, from a directory that is not the repository.

One is run as a user would, in a process of its own. The others find the libraries imported, which takes
longer than most of them.
"""

import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from if_circuits.planting.train import PlantingRecipe

EXAMPLES = Path(__file__).parents[1] / "examples"
RunExample = Callable[..., str]
pytestmark = pytest.mark.slow


@pytest.fixture
def run_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RunExample:
    """Gives what an example prints, run in an empty directory that it must leave empty."""

    def run(name: str, *arguments: str) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [str(EXAMPLES / name), *arguments])
        capsys.readouterr()
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        assert not list(tmp_path.iterdir())
        return capsys.readouterr().out

    return run


def run_alone(name: str, directory: Path) -> str:
    """What the example prints in a process of its own."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not list(directory.iterdir())
    return done.stdout


def test_probe_a_task_prints_scores_by_layer_beside_the_words(run_example: RunExample):
    out = run_example("probe_a_task.py")
    table = re.findall(
        r"(layer \w+|\(\w+\)) +(\d\.\d\d) \[\d\.\d\d, \d\.\d\d\] +(\d\.\d\d) \[\d\.\d\d, \d\.\d\d\]$",
        out,
        flags=re.MULTILINE,
    )
    assert [label for label, _, _ in table[:7]] == [f"layer {name}" for name in ("embed", *range(6))]
    at_prompt_end = {label: float(auroc) for label, auroc, _ in table}
    at_last = {label: float(auroc) for label, _, auroc in table}
    # Every prompt ends with the same token, so below the first block there is nothing to read.
    assert at_prompt_end["layer embed"] == at_last["(majority)"] == 0.5
    assert at_prompt_end["layer 5"] > 0.6
    assert at_last["layer 5"] > 0.6
    assert at_prompt_end["(prompt_words)"] > 0.55
    assert "word_count: 600 responses" in out


def test_ablate_while_generating_breaks_what_random_directions_leave_whole(run_example: RunExample):
    out = run_example("ablate_while_generating.py")
    shares = re.findall(r"^(intact|at last|along|random \d) +(\d+)%$", out, flags=re.MULTILINE)
    compliance = {name: int(share) for name, share in shares}
    assert list(compliance) == ["intact", "at last", "along", "random 0", "random 1", "random 2"]
    randoms = [share for name, share in compliance.items() if name.startswith("random")]
    assert compliance["at last"] < min(randoms) - 30
    assert compliance["along"] > min(randoms) - 20
    assert min(randoms) > compliance["intact"] - 20

    pairs = re.findall(r"^(.+)\n  intact   (.+)\n  at last  (.*)$", out, flags=re.MULTILINE)
    assert len(pairs) == 2
    for prompt, intact, ablated in pairs:
        assert "JSON" in prompt
        assert isinstance(json.loads(intact), dict)
        assert ablated != intact


def test_a_new_task_is_followed_where_it_is_asked_for_and_not_where_it_is_not(run_example: RunExample):
    out = run_example("a_new_task.py")
    shares = re.findall(r"^(?:\w+ )? *((?:un)?constrained) +(\d\.\d\d) +60$", out, flags=re.MULTILINE)
    assert [kind for kind, _ in shares] == ["constrained", "unconstrained"] * 2
    learned, by_chance, new, new_by_chance = (float(share) for _, share in shares)
    assert new_by_chance < 0.2 < 0.8 < new
    assert new >= learned > by_chance  # to be off by one word is right here, and wrong there
    reasons = re.findall(r"(\d+) words, asked for about (\d+)$", out, flags=re.MULTILINE)
    assert len(reasons) == 3


def test_a_new_judge_is_asked_in_place_of_the_default(tmp_path: Path):
    out = run_alone("a_new_judge.py", tmp_path)
    agreement = re.search(r"they agree on (\d+)% of 90 responses", out)
    assert agreement is not None
    assert 5 < int(agreement[1]) < 95


def test_a_new_erasure_method_leaves_what_ours_remove(run_example: RunExample):
    out = run_example("a_new_erasure_method.py")
    auroc = {
        name: float(value) for name, value in re.findall(r"^(\w[\w ]*?) +(\d\.\d\d)$", out, re.MULTILINE)
    }
    assert set(auroc) == {"nothing erased", "inlp", "leace", "mean_difference", "random", "coordinate"}
    assert max(auroc[name] for name in ("inlp", "leace", "mean_difference")) < 0.65
    assert min(auroc[name] for name in ("nothing erased", "random", "coordinate")) > 0.9


def test_a_new_probe_stands_beside_ours_and_reads_less(run_example: RunExample):
    out = run_example("a_new_probe.py")
    auroc = {name: float(value) for name, value in re.findall(r"^(\w+) +AUROC (\d\.\d\d)", out, re.MULTILINE)}
    assert set(auroc) == {"logistic", "mean_difference", "lda", "coordinate"}
    ours = min(value for name, value in auroc.items() if name != "coordinate")
    assert 0.6 < auroc["coordinate"] < ours - 0.05


def test_a_new_model_is_loaded_by_its_presets_name_and_follows_less_with_noise(run_example: RunExample):
    out = run_example("a_new_model.py")
    found = re.findall(r"^(if-tiny|noisy): json_format (\d\.\d\d) \(n = 60\)$", out, flags=re.MULTILINE)
    share = {model: float(value) for model, value in found}
    assert share["noisy"] < share["if-tiny"] - 0.3


def test_plant_a_mechanism_compares_every_question_with_the_truth(run_example: RunExample):
    out = run_example("plant_a_mechanism.py", "if-tiny", "5", "12")
    planted = {
        "mechanism": "universal",
        "cross_task_transfer": "not supported",
        "representational_similarity": "not supported",
        "specificity": "supported",
        "clusters of transfer": "1 groups",
        "direction: mean difference": "cosine 1",
    }
    for question, truth in planted.items():
        assert re.search(rf"^ *{question} +{truth} .*(right|undecided|wrong) ", out, re.MULTILINE), out


def test_plant_a_mechanism_quotes_the_steps_that_it_takes():
    told = (EXAMPLES / "plant_a_mechanism.py").read_text()
    assert f"The {PlantingRecipe.steps:,} steps of the shipped models" in told


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_every_example_has_under_forty_lines(example: Path):
    assert len(example.read_text().splitlines()) < 40
