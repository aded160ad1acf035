"""Models that are fit, and folders that are broken in one way each."""

import json
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from if_circuits.doctor import Check, Diagnosis, examine
from if_circuits.errors import InputError
from if_circuits.models.settings import RunSettings
from tests.checkpoints import ARCHITECTURES

Damage = Callable[[Path], object]


@pytest.fixture
def directory(checkpoint: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint("llama"), tmp_path / "model"))


def named(diagnosis: Diagnosis) -> dict[str, Check]:
    assert len({check.name for check in diagnosis.checks}) == len(diagnosis.checks)
    return {check.name: check for check in diagnosis.checks}


def edit_json(name: str, **changes: object) -> Damage:
    """Change entries of a JSON file; None removes one."""

    def edit(directory: Path) -> None:
        content = json.loads((directory / name).read_text()) | changes
        content = {key: value for key, value in content.items() if value is not None}
        (directory / name).write_text(json.dumps(content))

    return edit


def edit_weight(name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Damage:
    def edit(directory: Path) -> None:
        weights = load_file(directory / "model.safetensors")
        weights[name] = change(weights[name]).contiguous()
        save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})

    return edit


def template(text: str) -> Damage:
    return lambda directory: (directory / "chat_template.jinja").write_text(text)


def add_words(directory: Path) -> None:
    """More tokens than the model has embeddings."""
    tokenizer = json.loads((directory / "tokenizer.json").read_text())
    word = {"content": "<word>", "single_word": False, "lstrip": False, "rstrip": False}
    tokenizer["added_tokens"].append({"id": 360, **word, "normalized": False, "special": True})
    (directory / "tokenizer.json").write_text(json.dumps(tokenizer))


def no_eos(directory: Path) -> None:
    edit_json("tokenizer_config.json", eos_token=None)(directory)
    for file in ("config.json", "generation_config.json"):
        # Absent, it would be the architecture's default.
        content = json.loads((directory / file).read_text()) | {"eos_token_id": None}
        (directory / file).write_text(json.dumps(content))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One prompt a task and a few tokens for the check of compliance, where that is not what is tested."""
    short = SimpleNamespace(of=partial(RunSettings.of, max_new_tokens=8))
    monkeypatch.setattr("if_circuits.doctor.compliance.ANSWERS_PER_TASK", 1)
    monkeypatch.setattr("if_circuits.doctor.compliance.RunSettings", short)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_passes_what_does_not_depend_on_training(
    checkpoint: Callable[[str], Path], architecture: str
) -> None:
    seen: list[str] = []
    diagnosis = examine(str(checkpoint(architecture)), progress=seen.append)
    checks = named(diagnosis)
    assert diagnosis.fit
    trained_or_templated = {"template", "generation_prompt", "responses_end"}
    for name, check in checks.items():
        if name not in trained_or_templated and not name.startswith("compliance"):
            assert check.status == "pass", (name, check.detail)
    base = architecture in ("gpt2", "gpt_neox")
    assert checks["template"].status == ("warn" if base else "pass")
    assert checks["compliance"].status == "warn"
    assert "does no harm" in checks["pad"].detail or architecture != "gpt_neo"
    assert seen[0] == "loads" and set(seen) <= set(checks)


def test_the_embedded_model_is_fit_and_follows_its_tasks() -> None:
    diagnosis = examine("if-tiny")
    assert diagnosis.fit
    assert {check.status for check in diagnosis.checks} == {"pass"}
    assert diagnosis.to_json()["checks"][0]["name"] == "loads"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("damage", "check", "says"),
    [
        (lambda d: (d / "tokenizer.json").unlink(), "loads", "no tokenizer"),
        (
            lambda d: (d / "model.safetensors").write_bytes((d / "model.safetensors").read_bytes()[:-99]),
            "loads",
            "truncated",
        ),
        (edit_json("config.json", model_type="no-such-type"), "loads", "no-such-type"),
        (edit_json("config.json", vocab_size=300), "loads", "cannot be loaded"),
        (lambda d: shutil.rmtree(d) or d.mkdir(), "loads", r"config\.json is missing"),
        (template("{{ raise_exception('not today') }}"), "template", "not today"),
        (template("{% for m in messages %}"), "template", "chat template fails"),
        (template("{{ bos_token }}<model>"), "template", "0 times"),
        (add_words, "vocabulary", "ids up to 360, the model 360 embeddings"),
        (no_eos, "eos", "no response ends"),
        (edit_json("generation_config.json", eos_token_id=[1, 999]), "eos", "999 is no token"),
        (
            edit_weight("model.layers.1.mlp.up_proj.weight", lambda w: w * float("nan")),
            "weights",
            r"layers\.1\.mlp\.up_proj",
        ),
        (
            edit_weight("model.layers.1.mlp.down_proj.weight", lambda w: w * 1e38),
            "dtype_range",
            "is not finite in float32",
        ),
        (edit_json("config.json", max_position_embeddings=64), "context_length", "the context 64"),
    ],
)
def test_what_is_broken_is_named_and_the_model_not_fit(
    directory: Path, damage: Damage, check: str, says: str
) -> None:
    damage(directory)
    diagnosis = examine(str(directory))
    failed = [each for each in diagnosis.checks if each.status == "fail"]
    assert not diagnosis.fit
    assert failed[0].name == check
    assert re.search(says, failed[0].detail), failed[0].detail
    assert "\n" not in failed[0].detail
    assert "Traceback" not in failed[0].detail


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("damage", "check", "says"),
    [
        (lambda d: (d / "chat_template.jinja").unlink(), "template", "plain text after the BOS"),
        (template("{{ messages[0]['content'] }}"), "generation_prompt", "changes nothing"),
        (
            edit_json("generation_config.json", eos_token_id=1),
            "eos",
            r"ends the model's turn with '<eot>' \(2\)",
        ),
        (edit_json("config.json", max_position_embeddings=160), "context_length", "--max-new-tokens 3"),
        (
            edit_weight("model.layers.1.mlp.down_proj.weight", lambda w: w * 1e5),
            "dtype_range",
            "where float16 ends",
        ),
    ],
)
def test_what_a_study_survives_is_a_warning_that_says_what_to_do(
    directory: Path, damage: Damage, check: str, says: str
) -> None:
    damage(directory)
    found = named(examine(str(directory)))[check]
    assert found.status == "warn"
    assert re.search(says, found.detail), found.detail


def test_after_a_failure_that_spoils_the_rest_nothing_else_is_claimed(directory: Path) -> None:
    edit_weight("model.norm.weight", lambda w: w * float("inf"))(directory)
    checks = examine(str(directory)).checks
    after = [check for check in checks[[c.name for c in checks].index("weights") + 1 :]]
    assert after and all("weights has to be mended first" in check.detail for check in after)


@pytest.mark.usefixtures("quick")
def test_a_check_that_raises_fails_with_its_reason(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object, **__: object) -> None:
        raise ZeroDivisionError("over\nnothing")

    monkeypatch.setattr("if_circuits.doctor.context.longest_prompt", explode)
    found = named(examine(str(directory)))
    assert found["context_length"].status == "fail"
    assert "ZeroDivisionError: over nothing" in found["context_length"].detail
    assert found["compliance"].status == "warn"


@pytest.mark.parametrize("name", ["./no-such-folder", "a/b/c", ""])
def test_what_is_no_models_name_is_a_bad_argument(name: str) -> None:
    with pytest.raises(InputError, match="no directory"):
        examine(name)


def test_a_device_that_is_not_there_is_a_bad_argument(directory: Path) -> None:
    with pytest.raises(InputError, match="toaster"):
        examine(str(directory), device="toaster")
