import subprocess
import sys
from pathlib import Path

import pytest

from if_circuits.analyses.base import ANALYSES
from if_circuits.cli import listing
from if_circuits.cli import main as cli

HEAVY = ("numpy", "torch", "transformer_lens", "transformers", "sklearn", "pandas", "scipy", "matplotlib")


def run(*arguments: str | Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    try:
        code = cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = int(stop.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize(
    "statement", ["import if_circuits", "from if_circuits.cli.main import main; main(['--help'])"]
)
def test_help_loads_no_heavy_library(statement: str):
    code = (
        f"import sys\ntry:\n    {statement.replace('; ', chr(10) + '    ')}\nexcept SystemExit:\n    pass\n"
        f"sys.exit(', '.join(set({HEAVY}) & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


BAD = {
    "no command": [],
    "unknown command": ["probe"],
    "run without a model": ["run", "--out", "x"],
    "run without a directory": ["run", "if-tiny"],
    "seed that is no number": ["run", "if-tiny", "--out", "x", "--seed", "one"],
    "negative seed": ["run", "if-tiny", "--out", "x", "--seed", "-1"],
    "no samples": ["run", "if-tiny", "--out", "x", "--samples", "0"],
    "no base queries": ["run", "if-tiny", "--out", "x", "--base-queries", "-3"],
    "fractional count": ["run", "if-tiny", "--out", "x", "--batch-size", "1.5"],
    "temperature zero": ["run", "if-tiny", "--out", "x", "--temperature", "0"],
    "temperature nan": ["run", "if-tiny", "--out", "x", "--temperature", "nan"],
    "unknown task": ["run", "if-tiny", "--out", "x", "--tasks", "rhyme"],
    "unknown analysis": ["run", "if-tiny", "--out", "x", "--analyses", "vibes"],
    "unknown dtype": ["run", "if-tiny", "--out", "x", "--dtype", "int8"],
    "unknown option": ["run", "if-tiny", "--out", "x", "--fast"],
    "layer that is no number": ["run", "if-tiny", "--out", "x", "--layers", "last"],
    "model that is a file": ["run", __file__, "--out", "x"],
    "model directory that is missing": ["run", "./no/such/model", "--out", "x"],
    "device that is no device": ["generate", "if-tiny", "--prompt", "Hi", "--device", "toaster"],
    "study that is missing": ["analyse", "no-such-study"],
    "analyse an unknown analysis": ["analyse", "x", "--only", "vibes"],
    "generate without a prompt": ["generate", "if-tiny"],
    "generate from an empty prompt": ["generate", "if-tiny", "--prompt", "  "],
    "greedy and a temperature": ["generate", "if-tiny", "--prompt", "Hi", "--greedy", "--temperature", "1"],
}


@pytest.mark.parametrize("arguments", BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*arguments, capsys=capsys)
    assert (code, out) == (2, "")
    assert err.startswith("if-circuits")
    assert err.count("\n") == 1
    assert not any(tmp_path.iterdir())


def test_an_interrupt_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(listing, "_tasks", interrupted)
    code, _, err = run("tasks", capsys=capsys)
    assert code == 130
    assert "the same command goes on" in err


def test_tasks_lists_the_nine(capsys: pytest.CaptureFixture[str]):
    code, out, _ = run("tasks", capsys=capsys)
    assert code == 0
    for task in ("word_count", "json_format", "term_exclusion", "sentiment", "register"):
        assert task in out


def test_models_lists_the_presets(capsys: pytest.CaptureFixture[str]):
    code, out, _ = run("models", capsys=capsys)
    assert code == 0
    for source in ("if-tiny", "Qwen/Qwen2.5-0.5B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"):
        assert source in out


def test_help_names_every_analysis(capsys: pytest.CaptureFixture[str]):
    _, out, _ = run("analyse", "--help", capsys=capsys)
    for name in ANALYSES:
        assert name in " ".join(out.split())
