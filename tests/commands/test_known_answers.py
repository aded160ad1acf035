"""The shipped models with planted mechanisms, and the command that compares their studies with the truth."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from if_circuits import cli
from if_circuits.commands.known_answers import SHIPPED
from if_circuits.generation import GenerationConfig, generate_conditions
from if_circuits.if_tiny.mechanism import DIRECTIONS_FILE, load_mechanism
from if_circuits.if_tiny.planted_card import set_coordinate
from if_circuits.models.loading import load_model
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.verification import verify


def directory(name: str) -> Path:
    return Path(str(files("if_circuits") / "assets" / name))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_comes_with_its_truth_and_its_evidence(name: str) -> None:
    mechanism = load_mechanism(directory(name))
    assert name == f"if-tiny-{mechanism.kind}" and mechanism.seed == 0
    assert (directory(name) / DIRECTIONS_FILE).is_file()
    card = (directory(name) / "README.md").read_text()
    assert all(f"| {task} |" in card for task in mechanism.gates) and "own at -c" in card
    assert sum(path.stat().st_size for path in directory(name).iterdir()) < 4e6


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_closing_the_gate_breaks_json_and_another_direction_does_not(name: str) -> None:
    model, mechanism = load_model(name), load_mechanism(directory(name))
    prompts = build_prompts(
        get_tasks(["json_format"]), n_base_queries=30, prompts_per_query=1, seed=3, held_out_only=True
    )
    own = mechanism.directions[mechanism.gates["json_format"][0]]
    rng = np.random.default_rng(8)
    random = rng.standard_normal(model.d_model)
    random -= own * (own @ random)
    conditions = {
        "open": set_coordinate(mechanism, own, mechanism.c),
        "closed": set_coordinate(mechanism, own, -mechanism.c),
        "random, open": [
            *set_coordinate(mechanism, own, mechanism.c),
            *set_coordinate(mechanism, random / np.linalg.norm(random), 0.0),
        ],
    }
    asked = prompts[prompts["constrained"]].reset_index(drop=True)
    answers = verify(generate_conditions(model, asked, GenerationConfig(64, temperature=0.0), conditions))
    share = (answers["verdict"] == "satisfied").groupby(answers["condition"]).mean()
    assert share["open"] > 0.9 and share["random, open"] > 0.9
    assert share["closed"] < 0.1


def test_a_directory_without_a_mechanism_is_named_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["known-answers", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr()
    assert str(tmp_path) in shown.err and shown.err.count("\n") == 1
    assert not (tmp_path / "out").exists()
