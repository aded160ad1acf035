"""Everything wrong that a user may give: one clear line on standard error, exit code 2, nothing written."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from if_circuits.cli import main as cli

BAD_ARGUMENTS: dict[str, tuple[list[str], str]] = {
    "no command": ([], "COMMAND"),
    "unknown command": (["runn"], "runn"),
    "no model": (["run", "--out", "OUT"], "MODEL"),
    "no directory": (["run", "MODEL"], "--out"),
    "empty model": (["run", "", "--out", "OUT"], "''"),
    "model is a file": (["run", "FILE", "--out", "OUT"], "is a file"),
    "model path that is not there": (["run", "./nowhere", "--out", "OUT"], "nowhere"),
    "model name with two slashes": (["run", "a/b/c", "--out", "OUT"], "a/b/c"),
    "model name with a null byte": (["run", "a\0b", "--out", "OUT"], "error"),
    "unknown task": (["run", "MODEL", "--out", "OUT", "--tasks", "rhyme"], "rhyme"),
    "empty task": (["run", "MODEL", "--out", "OUT", "--tasks", ""], "''"),
    "odd Unicode in a task": (["run", "MODEL", "--out", "OUT", "--tasks", "\u202etask"], "unknown task"),
    "unknown analysis": (["run", "MODEL", "--out", "OUT", "--analyses", "magic"], "magic"),
    "no base queries": (["run", "MODEL", "--out", "OUT", "--base-queries", "0"], "'0'"),
    "half a base query": (["run", "MODEL", "--out", "OUT", "--base-queries", "1.5"], "'1.5'"),
    "too many base queries": (["run", "MODEL", "--out", "OUT", "--base-queries", "99999"], "base queries"),
    "negative samples": (["run", "MODEL", "--out", "OUT", "--samples", "-1"], "-1"),
    "too many wordings": (["run", "MODEL", "--out", "OUT", "--prompts-per-query", "500"], "wordings"),
    "temperature zero": (["run", "MODEL", "--out", "OUT", "--temperature", "0"], "'0'"),
    "temperature nan": (["run", "MODEL", "--out", "OUT", "--temperature", "nan"], "nan"),
    "temperature infinite": (["run", "MODEL", "--out", "OUT", "--temperature", "inf"], "inf"),
    "top-p zero": (["run", "MODEL", "--out", "OUT", "--top-p", "0"], "'0'"),
    "top-p above one": (["generate", "MODEL", "--prompt", "x", "--top-p", "1.1"], "at most 1"),
    "temperature in words": (["run", "MODEL", "--out", "OUT", "--temperature", "warm"], "warm"),
    "one fold": (["run", "MODEL", "--out", "OUT", "--folds", "1"], "n_folds"),
    "more folds than base queries": (["run", "MODEL", "--out", "OUT", "--base-queries", "3"], "folds"),
    "no bootstrap": (["run", "MODEL", "--out", "OUT", "--bootstrap", "0"], "'0'"),
    "layer beyond the last": (["run", "MODEL", "--out", "OUT", "--layers", "99"], "no layer 99"),
    "layer below embed": (["run", "MODEL", "--out", "OUT", "--layers", "-5"], "-5"),
    "layer in words": (["run", "MODEL", "--out", "OUT", "--layers", "last"], "last"),
    "negative seed": (["run", "MODEL", "--out", "OUT", "--seed", "-1"], "-1"),
    "huge seed": (["run", "MODEL", "--out", "OUT", "--seed", str(2**40)], str(2**40)),
    "unknown device": (["run", "MODEL", "--out", "OUT", "--device", "toaster"], "toaster"),
    "absent device": (["run", "MODEL", "--out", "OUT", "--device", "cuda:77"], "cuda:77"),
    "unknown dtype": (["run", "MODEL", "--out", "OUT", "--dtype", "float8"], "float8"),
    "responses past the context": (["run", "MODEL", "--out", "OUT", "--max-new-tokens", "99999"], "context"),
    "no new tokens": (["run", "MODEL", "--out", "OUT", "--max-new-tokens", "0"], "'0'"),
    "directory is a file": (["run", "MODEL", "--out", "FILE"], "is a file"),
    "directory below a file": (["run", "MODEL", "--out", "FILE/study"], "FILE"),
    "directory of somebody's files": (["run", "MODEL", "--out", "MODEL"], "no study"),
    "analyse nothing": (["analyse", "nowhere"], "no study"),
    "analyse a model": (["analyse", "MODEL"], "no study"),
    "analyse a file": (["analyse", "FILE"], "is a file"),
    "verify nothing": (["verify", "nowhere"], "no study"),
    "empty prompt": (["generate", "MODEL", "--prompt", ""], "empty"),
    "blank prompt": (["generate", "MODEL", "--prompt", " \n\t"], "empty"),
    "no prompt": (["generate", "MODEL"], "--prompt"),
    "prompt past the context": (["generate", "MODEL", "--prompt", "river " * 3000], "context"),
    "greedy and warm": (["generate", "MODEL", "--prompt", "x", "--greedy", "--temperature", "1"], "--greedy"),
}  # fmt: skip


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def edit(**changes: object) -> Callable[[Path], None]:
    """Change values of a JSON file."""
    return lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | changes)) and None


def template(text: str) -> Callable[[Path], None]:
    return lambda path: (path.parent / "chat_template.jinja").write_text(text) and None


BAD_MODELS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no configuration": ("config.json", Path.unlink, "config.json"),
    "truncated configuration": ("config.json", truncate, "config.json"),
    "empty configuration": ("config.json", lambda path: path.write_text(""), "config.json"),
    "configuration is a list": ("config.json", lambda path: path.write_text("[]"), "list"),
    "binary configuration": ("config.json", lambda path: path.write_bytes(b"\xff\xfe\x00"), "config.json"),
    "no model type": ("config.json", lambda path: path.write_text("{}"), "model_type"),
    "unknown architecture": ("config.json", edit(model_type="abacus", architectures=["Abacus"]), "abacus"),
    "more layers than weights": ("config.json", edit(num_hidden_layers=9), "lacks"),
    "other width than the weights": ("config.json", edit(hidden_size=64), "cannot be loaded"),
    "no weights": ("model.safetensors", Path.unlink, "no weights"),
    "empty weights": ("model.safetensors", lambda path: path.write_bytes(b""), "model.safetensors"),
    "truncated weights": ("model.safetensors", truncate, "truncated"),
    "a Git LFS pointer": ("model.safetensors", lambda path: path.write_text("version https://git\n"), "LFS"),
    "no tokenizer": ("tokenizer.json", Path.unlink, "tokenizer"),
    "truncated tokenizer": ("tokenizer.json", truncate, "cannot be loaded"),
    "a template that raises": ("config.json", template("{{ raise_exception('no') }}"), "template"),
    "a template that is no template": ("config.json", template("{% for %}"), "template"),
}  # fmt: skip


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Standard error of a command that has to refuse its input in one line."""
    capsys.readouterr()  # what making a checkpoint may have said
    try:
        code = cli.main(arguments)
    except SystemExit as stop:
        code = int(stop.code or 0)
    captured = capsys.readouterr()
    assert code == 2, captured
    assert captured.out == ""
    (message,) = captured.err.splitlines()
    assert message.startswith("if-circuits")
    return message


@pytest.fixture
def place(checkpoint: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a model, a file, and room for a study."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "MODEL").symlink_to(checkpoint("llama"))
    (tmp_path / "FILE").write_text("mine")
    return tmp_path


@pytest.mark.parametrize("name", BAD_ARGUMENTS)
def test_bad_arguments(name: str, place: Path, capsys: pytest.CaptureFixture[str]):
    arguments, expected = BAD_ARGUMENTS[name]
    assert expected in refused(arguments, capsys)
    assert (place / "FILE").read_text() == "mine"
    assert not (place / "OUT").exists()


@pytest.mark.parametrize("name", BAD_MODELS)
def test_bad_models(
    name: str, checkpoint: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file, damage, expected = BAD_MODELS[name]
    model = shutil.copytree(checkpoint("llama"), tmp_path / "model")
    damage(model / file)
    assert expected in refused(["generate", str(model), "--prompt", "hello", "--max-new-tokens", "2"], capsys)


BAD_RECORDS: dict[str, str] = {
    "empty": "",
    "truncated": '{"format": 2, "con',
    "a list": "[]",
    "another version": '{"format": 99}',
    "not text": "\ufffe\udc00",
}


@pytest.mark.parametrize("name", BAD_RECORDS)
@pytest.mark.parametrize("command", ["analyse", "verify"])
def test_bad_records(name: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "study.json").write_bytes(BAD_RECORDS[name].encode("utf-8", "surrogatepass"))
    assert "study.json" in refused([command, str(tmp_path)], capsys)


BAD_PROMPTS: dict[str, tuple[pd.DataFrame, str]] = {
    "no rows": (pd.DataFrame({"prompt_id": [], "prompt": []}), "at least one row"),
    "no prompt column": (pd.DataFrame({"prompt_id": ["a"]}), "prompt"),
    "no id column": (pd.DataFrame({"prompt": ["a"]}), "prompt_id"),
    "an id twice": (pd.DataFrame({"prompt_id": ["a", "a"], "prompt": ["b", "c"]}), "occurs twice"),
    "past the context": (pd.DataFrame({"prompt_id": ["a"], "prompt": ["river " * 3000]}), "context"),
}


@pytest.mark.parametrize("name", BAD_PROMPTS)
def test_bad_prompts(name: str, llama: object):
    from if_circuits.errors import InputError
    from if_circuits.generation.responses import GenerationConfig, generate

    prompts, expected = BAD_PROMPTS[name]
    with pytest.raises(InputError, match=expected):
        generate(llama, prompts, GenerationConfig(4))  # pyright: ignore[reportArgumentType]


def test_there_are_many_kinds():
    assert sum(map(len, (BAD_ARGUMENTS, BAD_MODELS, BAD_RECORDS, BAD_PROMPTS))) >= 60
