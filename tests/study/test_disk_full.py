"""A disk that cannot take a file: said clearly, nothing lost, and the same command goes on."""

import resource
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from if_circuits.cli import main as cli
from if_circuits.errors import InputError
from if_circuits.models.loading import load_model
from if_circuits.models.settings import RunSettings
from if_circuits.study import space
from if_circuits.study.audit import audit
from tests.study.kill import configuration

pytestmark = pytest.mark.slow


@contextmanager
def files_of_at_most(n_bytes: int) -> Generator[None]:
    """Writing beyond so many bytes fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("n_bytes", [2_000, 30_000, 200_000])
def test_what_does_not_fit_is_said_and_what_did_is_kept(
    n_bytes: int, checkpoint: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "study"
    options = (
        "--suite controlled --tasks word_count --analyses specificity --base-queries 12 --prompts-per-query 4"
    )
    options += " --max-new-tokens 8 --folds 3 --bootstrap 20 --permutations 20 --random-subspaces 3"
    command = ["run", str(checkpoint("llama")), "--out", str(out), *options.split()]
    with files_of_at_most(n_bytes):
        assert cli.main(command) == 1
    assert "File too large" in capsys.readouterr().err
    assert not list(out.rglob("*.partial"))
    # An unfinished capture writes its index anew.
    kept = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet") if path.stem != "index"}
    assert cli.main(command) == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert [finding for finding in audit(out) if finding.faults] == []


def test_too_little_space_is_said_before_anything_is_generated(
    checkpoint: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config, model = configuration(checkpoint("llama")), load_model(str(checkpoint("llama")))
    run_settings = RunSettings.of(model.preset, max_new_tokens=config.max_new_tokens)
    needed = space.bytes_needed(config, model, run_settings)
    monkeypatch.setattr(
        space.shutil, "disk_usage", lambda _: space.shutil._ntuple_diskusage(0, 0, needed - 1)
    )
    with pytest.raises(InputError, match="GB free; choose"):
        space.check_space(config, model, run_settings, tmp_path)
    monkeypatch.setattr(space.shutil, "disk_usage", lambda _: space.shutil._ntuple_diskusage(0, 0, needed))
    space.check_space(config, model, run_settings, tmp_path)


def test_the_estimate_covers_a_real_study(checkpoint: Callable[[str], Path], tmp_path: Path):
    from if_circuits.study import Study

    config = configuration(checkpoint("llama"))
    study = Study.run(config, tmp_path / "study")
    activations = sum(path.stat().st_size for path in tmp_path.rglob("*.safetensors"))
    needed = space.bytes_needed(config, load_model(config.model), study.run_settings)
    assert activations <= needed <= 20 * activations
