import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from if_circuits.cli import main as cli


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("if_circuits.doctor.compliance.ANSWERS_PER_TASK", 1)


def test_a_fit_model_has_a_line_for_each_check_and_exit_code_0(
    checkpoint: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(checkpoint("qwen2"))
    assert cli.main(["doctor", model]) == 0
    shown = capsys.readouterr().out
    for name in ("template", "padding_parity", "cache_parity", "hook_identity", "memory", "compliance"):
        assert name in shown
    assert shown.splitlines()[-1] == f"{model} is fit for the study"


def test_json_is_one_object_and_a_broken_model_has_exit_code_1(
    checkpoint: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Path(shutil.copytree(checkpoint("llama"), tmp_path / "model"))
    (broken / "tokenizer.json").unlink()
    assert cli.main(["doctor", str(broken), "--json"]) == 1
    diagnosis = json.loads(capsys.readouterr().out)
    assert set(diagnosis) == {"model", "fit", "checks"}
    assert (diagnosis["model"], diagnosis["fit"]) == (str(broken), False)
    assert [(check["name"], check["status"]) for check in diagnosis["checks"]] == [("loads", "fail")]
    assert "no tokenizer" in diagnosis["checks"][0]["detail"]


@pytest.mark.parametrize("arguments", [["./no-such-folder"], ["if-tiny", "--device", "toaster"]])
def test_a_bad_argument_has_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1 and arguments[-1] in shown.err
