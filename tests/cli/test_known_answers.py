"""The shipped models with planted mechanisms, and the command that compares their studies with the truth."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from if_circuits.analyses.validation.known_answers.run import SHIPPED
from if_circuits.cli import main as cli
from if_circuits.generation.responses import GenerationConfig, generate_conditions
from if_circuits.models.loading import load_model
from if_circuits.planting.card import set_coordinate
from if_circuits.planting.if_tiny.corpus import corpus_judges
from if_circuits.planting.mechanism import DEPENDENCY, DIRECTIONS_FILE, load_mechanism, random_orthogonal
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


HEEDING = ("json_format", "topic", "sentiment", "register")
"""Tasks whose gates are all but perfect in all shipped models; the cards have the others."""


def compliance(name: str, task: str, at: dict[str, dict[str, float]]) -> dict[str, float]:
    """Share of greedy answers that satisfy the task, with directions set to values in units of c."""
    model, mechanism = load_model(name), load_mechanism(directory(name))
    prompts = build_prompts(
        get_tasks([task]), n_base_queries=30, prompts_per_query=1, seed=3, held_out_only=True
    )
    random = random_orthogonal(mechanism, np.random.default_rng(8))
    directions = {**mechanism.directions, "random": random}
    conditions = {
        condition: [
            each
            for direction, value in values.items()
            for each in set_coordinate(mechanism, directions[direction], value * mechanism.c)
        ]
        for condition, values in at.items()
    }
    asked = prompts[prompts["constrained"]].reset_index(drop=True)
    config = GenerationConfig(64, temperature=0.0)
    answers = verify(generate_conditions(model, asked, config, conditions), corpus_judges())
    shares = (answers["verdict"] == "satisfied").groupby(answers["condition"]).mean()
    return {str(condition): float(share) for condition, share in shares.items()}


@pytest.mark.slow
@pytest.mark.parametrize("task", HEEDING)
@pytest.mark.parametrize("name", SHIPPED)
def test_closing_the_gate_breaks_a_task_and_a_random_direction_does_not(name: str, task: str) -> None:
    own = load_mechanism(directory(name)).gates[task][0]
    share = compliance(
        name, task, {"open": {own: 1.0}, "closed": {own: -1.0}, "random, open": {own: 1.0, "random": 0.0}}
    )
    assert share["open"] > 0.85 and share["random, open"] > 0.85
    assert share["closed"] < 0.15


@pytest.mark.slow
@pytest.mark.parametrize("name", ["if-tiny-clustered", "if-tiny-monitoring"])
def test_the_planted_dependency_is_one_way(name: str) -> None:
    first, second = DEPENDENCY
    gates = load_mechanism(directory(name)).gates
    own, other = gates[second]
    assert gates[first] == (other,)
    forth = compliance(name, second, {"open": {own: 1.0, other: 1.0}, "closed": {own: 1.0, other: -1.0}})
    back = compliance(name, first, {"open": {other: 1.0, own: 1.0}, "closed": {other: 1.0, own: -1.0}})
    assert forth["open"] > 0.85 and forth["closed"] < 0.15
    assert back["open"] > 0.85 and back["closed"] > 0.85


def test_a_directory_without_a_mechanism_is_named_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["known-answers", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr()
    assert str(tmp_path) in shown.err and shown.err.count("\n") == 1
    assert not (tmp_path / "out").exists()
