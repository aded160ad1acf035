"""Sizes that are chosen for a study: batches by the free memory, and the precision in which it stores."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from if_circuits.activations.store import ActivationStore
from if_circuits.generation import batch_size
from if_circuits.generation.batch_size import longest_prompt, row_bytes
from if_circuits.models.loading import load_model
from if_circuits.study import Study, StudyConfig
from tests.study.miniature import content


@pytest.fixture(scope="module")
def config(checkpoint: Callable[[str], Path]) -> StudyConfig:
    return StudyConfig(
        str(checkpoint("llama")),
        suite="controlled",
        tasks=("word_count", "register"),
        n_base_queries=3,
        prompts_per_query=1,
        max_new_tokens=8,
        analyses=(),
    )


@pytest.fixture(scope="module")
def usual(config: StudyConfig, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study with all the memory of this machine, whose activations are stored as they always were."""
    return Study.run(config, tmp_path_factory.mktemp("usual") / "study")


def test_batches_follow_the_free_memory_once_and_are_recorded(
    config: StudyConfig, usual: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    model = load_model(config.model)
    assert usual.run_settings.batch_size == model.preset.batch_size
    prompt = longest_prompt(model, usual.prompts["prompt"])
    enough_for_five = 5 / 0.8 * row_bytes(model, prompt=prompt, new=8).total
    with monkeypatch.context() as patch:
        patch.setattr(batch_size, "free_memory", lambda _: int(enough_for_five))
        study = Study.run(config, tmp_path / "study")
    assert study.run_settings.batch_size == 4
    pd.testing.assert_frame_equal(study.responses, usual.responses)
    before = content(tmp_path / "study")
    assert Study.run(config, tmp_path / "study").run_settings.batch_size == 4
    assert content(tmp_path / "study") == before
    named = Study.run(replace(config, batch_size=7), tmp_path / "study")
    assert named.run_settings.batch_size == 7


def test_another_precision_of_storage_captures_again_and_says_so(
    usual: Study, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    config = usual.config
    assert config.store_dtype == "float32"
    root = tmp_path / "study"
    study = Study.run(replace(config, store_dtype="model"), root)
    # The model's own precision is float32, which is what a study has anyway.
    assert study.config == config
    was = content(root)
    with caplog.at_level(logging.WARNING):
        study = Study.run(replace(config, store_dtype="bfloat16"), root)
    said = [each.message for each in caplog.records if "done again" in each.message]
    assert f"{root}: changed since: the precision of storage; activations is done again" in said
    assert all("responses" not in each for each in said)
    for path in (study.directory.activations, study.directory.counterfactual_activations):
        if path.exists():
            assert ActivationStore.open(path).key.dtype == "bfloat16"
    now = content(root)
    same = [name for name in was if name.startswith(("generated", "prompts", "responses", "counterfactual."))]
    assert {name: now[name] for name in same} == {name: was[name] for name in same}
    # Nobody asks for another: the study keeps what it has.
    Study.run(replace(config, store_dtype=None), root)
    assert content(root) == now
    assert json.loads((root / "study.json").read_text())["config"]["store_dtype"] == "bfloat16"


def test_a_study_from_before_there_was_a_choice_goes_on_as_it_is(usual: Study, tmp_path: Path):
    root = tmp_path / "study"
    Study.run(replace(usual.config, store_dtype=None), root)
    record = json.loads((root / "study.json").read_text())
    del record["config"]["store_dtype"]
    (root / "study.json").write_text(json.dumps(record))
    before = content(root)
    Study.run(replace(usual.config, store_dtype=None), root)
    after = content(root)
    assert before.pop("study.json") != after.pop("study.json")
    assert after == before
