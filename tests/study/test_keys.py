"""The key of every stage: each thing that decides what a stage writes is changed in turn, and no other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.erasure.base import erasure_methods
from if_circuits.models.settings import RunSettings
from if_circuits.study import keys
from if_circuits.study.config import StudyConfig
from if_circuits.study.directory import StudyDirectory
from if_circuits.tasks.registry import get_task, tasks
from if_circuits.tasks.suites.choice import get_suite
from tests.study.test_nothing_stale import by_length, edit, put

ON_ACTIVATIONS, ON_MODEL = "analyses.specificity", "analyses.localisation"
ASKING = {"pilot.responses", "prompts"}
ANSWERING = {"pilot.responses", "responses.constrained"}
LABELS = {"pilot", "verification", "counterfactual", ON_MODEL}
RESULTS = {ON_ACTIVATIONS, ON_MODEL, "readings"}
STAGES = ASKING | ANSWERING | LABELS | RESULTS | {"compliance", "closing"}
SETTINGS = AnalysisSettings()
CONFIG = StudyConfig(
    "smollm2-135m",
    tasks=("register", "sentiment", "term_exclusion"),
    suite="open",
    judges=(("sentiment", "opinion-terms"),),
    analyses=("localisation", "specificity"),
)
RUN = RunSettings(
    max_new_tokens=40, temperature=1.0, top_p=1.0, batch_size=8, layers=None, judges=CONFIG.judges
)


def keys_of(root: Path, *, run: RunSettings = RUN, dtype: str = "float32", **changes: Any) -> dict[str, Any]:
    """The key of every stage of a study that was asked for just now."""
    held_out_only = changes.pop("held_out_only", False)
    record = {
        "config": replace(CONFIG, **changes).to_json(),
        "run_settings": run.to_json(),
        "model": {"dtype": dtype},
        "held_out_only": held_out_only,
    }
    found = keys.StageKeys(StudyDirectory.create(root, record))
    return {stage: dict(found.of(stage)) for stage in STAGES}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The keys before anything is changed."""
    return keys_of(tmp_path_factory.mktemp("before"))


def other_queries(patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    del tmp_path
    suite = get_suite("open")
    patch.setattr(keys, "get_suite", lambda _: replace(suite, queries=suite.queries[1:]))


def other_wording(patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    del tmp_path
    suite = get_suite("open")
    first, *rest = suite.grades["register"]
    grades = {**suite.grades, "register": (replace(first, paraphrases=("Be formal.",)), *rest)}
    patch.setattr(keys, "get_suite", lambda _: replace(suite, grades=grades))


def other_verifier(patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    del tmp_path
    put(patch, tasks, "term_exclusion", replace(get_task("term_exclusion"), verify=by_length))


def other_erasure(patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    del tmp_path
    put(patch, erasure_methods, "inlp", erasure_methods.get("leace"))


def other_template(patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shown = shutil.copytree(str(files("if_circuits.report")), tmp_path / "report")
    style = next((shown / "styles").iterdir())
    style.write_text(style.read_text() + "\n")
    patch.setattr(keys, "files", lambda _: shown)


def other_calibration(patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    del tmp_path
    patch.setattr(keys.page, "shipped_calibration", lambda: "another table")


def code_of(module: str) -> Callable[[pytest.MonkeyPatch, Path], None]:
    return lambda patch, _: edit(patch, module)


@pytest.mark.parametrize(
    ("changes", "stages"),
    [
        ({"seed": 1}, ASKING | ANSWERING | {"counterfactual"}),
        ({"n_base_queries": 99}, ASKING),
        ({"held_out_only": True}, ASKING),
        ({"prompts_per_query": 2}, {"prompts"}),
        ({"samples_per_prompt": 1}, ANSWERING),
        ({"run": replace(RUN, temperature=0.5)}, ANSWERING | {ON_MODEL}),
        ({"run": replace(RUN, top_p=0.5)}, ANSWERING | {ON_MODEL}),
        ({"run": replace(RUN, max_new_tokens=30)}, ANSWERING | {ON_MODEL}),
        ({"dtype": "bfloat16"}, ANSWERING | {ON_MODEL}),
        ({"run": replace(RUN, judges=(("sentiment", "vader"),))}, LABELS),
        ({"run": replace(RUN, batch_size=1)}, set[str]()),
        ({"settings": replace(SETTINGS, n_bootstrap=9)}, RESULTS | {"compliance"}),
        ({"settings": replace(SETTINGS, seed=1)}, RESULTS | {"compliance", "counterfactual"}),
        ({"settings": replace(SETTINGS, n_folds=4)}, RESULTS | {"counterfactual"}),
        ({"settings": replace(SETTINGS, alpha=0.1)}, RESULTS),
        ({"analyses": ("specificity",)}, {"closing"}),
    ],
    ids=lambda value: "" if isinstance(value, set) else str(value),  # sets have no order
)
def test_a_setting_is_in_the_keys_of_what_it_decides(
    changes: dict[str, Any], stages: set[str], before: dict[str, Any], tmp_path: Path
):
    after = keys_of(tmp_path, **changes)
    assert {stage for stage in STAGES if before[stage] != after[stage]} == stages


def capture_key(root: Path, **changes: Any) -> dict[str, str]:
    """The key of what is captured of a study without counterfactual pairs."""
    config = CONFIG.to_json()
    del config["store_dtype"]  # as in studies from before there was a choice
    record = {"config": {**config, **changes}, "run_settings": RUN.to_json(), "model": {"dtype": "float32"}}
    directory = StudyDirectory.create(root, record)
    pd.DataFrame().to_parquet(directory.counterfactual)
    return dict(keys.StageKeys(directory).of("activations.counterfactual"))


def test_only_a_precision_that_is_asked_for_is_in_the_key_of_what_is_captured(tmp_path: Path):
    before = capture_key(tmp_path / "before")
    assert set(before) == {"the tokens that are read", "the layers that are read", "the code that captures"}
    for usual in (None, "float32"):
        assert capture_key(tmp_path / str(usual), store_dtype=usual) == before
    for other in ("float16", "bfloat16"):
        assert capture_key(tmp_path / other, store_dtype=other) == {
            **before,
            "the precision of storage": other,
        }


@pytest.mark.parametrize(
    ("change", "stages"),
    [
        (other_queries, ASKING | {"counterfactual"}),
        (other_wording, ASKING | {"counterfactual"}),
        (other_verifier, LABELS),
        (other_erasure, {ON_MODEL}),
        (other_template, {"closing"}),
        (other_calibration, {"closing"}),
        (code_of("study/pilot.py"), {"pilot"}),
        (code_of("study/pilot_answers.py"), {"pilot.responses"}),
        (code_of("study/readings.py"), {"readings"}),
        (code_of("study/outlook.py"), {ON_ACTIVATIONS, ON_MODEL}),
        (code_of("localisation/compared.py"), {ON_MODEL}),
        (code_of("activations/interchange.py"), {ON_MODEL}),
        (code_of("io/kept.py"), {ON_MODEL}),
    ],
)
def test_code_and_data_are_in_the_keys_of_what_they_decide(
    change: Callable[[pytest.MonkeyPatch, Path], None],
    stages: set[str],
    before: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    change(monkeypatch, tmp_path)
    after = keys_of(tmp_path / "after")
    # The closing stage follows the code of whatever it shows.
    shown = set[str]() if "closing" in stages else {"closing"}
    assert {stage for stage in STAGES if before[stage] != after[stage]} - shown == stages
