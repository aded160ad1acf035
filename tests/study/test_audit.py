"""Faults planted in a finished study, and what the audit says of them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from if_circuits.cli import main as cli
from if_circuits.study import Study
from if_circuits.study.audit import audit
from tests.study.kill import configuration

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("audit") / "study"
    Study.run(configuration(checkpoint("llama")), out)
    return out


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return shutil.copytree(finished, tmp_path / "study")


def faults(root: Path, **options: bool) -> dict[str, tuple[str, ...]]:
    return {finding.check: finding.faults for finding in audit(root, **options) if finding.faults}


def test_a_finished_study_has_no_faults(finished: Path, capsys: pytest.CaptureFixture[str]):
    assert faults(finished, recompute=True) == {}
    assert cli.main(["verify", str(finished)]) == 0
    assert "FAIL" not in capsys.readouterr().out


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "name",
    [
        "prompts.parquet", "responses.parquet", "generated/constrained-0000.parquet", "summary.json",
        "activations/shard-00000.safetensors", "activations/index.parquet", "activations/manifest.json",
        "results/specificity.parquet", "results/specificity.json", "figures/specificity.png", "report.html",
    ],
)  # fmt: skip
@pytest.mark.parametrize("damage", [flip, Path.unlink], ids=["one bit", "missing"])
def test_every_damaged_file_is_named(study: Path, name: str, damage: Callable[[Path], None]):
    damage(study / name)
    found = faults(study)
    assert any(name in fault for fault in found["files"])


def rehash(study: Path, name: str) -> None:
    """Make the record vouch for a file that was tampered with."""
    from if_circuits.study.ledger import Ledger

    Ledger(study).keep(study / name)


def test_a_changed_verdict_is_found_although_its_hash_is_right(study: Path):
    responses = pd.read_parquet(study / "responses.parquet")
    responses.loc[0, "verdict"] = "violated" if responses.loc[0, "verdict"] == "satisfied" else "satisfied"
    responses.to_parquet(study / "responses.parquet", index=False)
    rehash(study, "responses.parquet")
    found = faults(study)
    assert str(responses.loc[0, "response_id"]) in found["verdicts"][0]
    assert any("another version" in fault for fault in found["stages"])


def test_a_removed_response_is_found(study: Path):
    responses = pd.read_parquet(study / "responses.parquet").iloc[1:]
    responses.to_parquet(study / "responses.parquet", index=False)
    rehash(study, "responses.parquet")
    assert {"rows", "activations"} <= set(faults(study))


def test_a_summary_that_says_more_than_its_tables_is_found(study: Path):
    summary = json.loads((study / "summary.json").read_text())
    summary["claims"]["specificity"]["verdict"] = "supported beyond doubt"
    (study / "summary.json").write_text(json.dumps(summary))
    rehash(study, "summary.json")
    assert set(faults(study)) == {"summary"}


def test_a_table_that_does_not_follow_is_found_when_it_is_done_again(study: Path):
    path = study / "results" / "specialist_vs_general.parquet"
    table = pd.read_parquet(path)
    table["reason"] = "I say so"
    table.to_parquet(path, index=False)
    rehash(study, "results/specialist_vs_general.parquet")
    assert "specialist_vs_general" in faults(study, recompute=True)["analyses"][0]


def test_other_versions_and_unfinished_stages_are_named(study: Path, capsys: pytest.CaptureFixture[str]):
    record = json.loads((study / "study.json").read_text())
    record["versions"]["torch"] = "0.0.1"
    del record["stages"]["closing"]
    (study / "study.json").write_text(json.dumps(record))
    found = faults(study)
    assert any("torch was 0.0.1" in fault for fault in found["versions"])
    assert any("closing is not done" in fault for fault in found["stages"])
    assert cli.main(["verify", str(study)]) == 1
    assert "torch was 0.0.1" in capsys.readouterr().err


def test_a_damaged_file_costs_only_what_it_must(
    finished: Path, study: Path, caplog: pytest.LogCaptureFixture
):
    """A flipped bit, a truncated file and a missing shard: named, made again, and the same as before."""
    flip(study / "generated" / "constrained-0000.parquet")
    (study / "activations" / "shard-00000.safetensors").unlink()
    table = study / "results" / "specificity.parquet"
    table.write_bytes(table.read_bytes()[:100])
    kept = study / "results" / "specialist_vs_general.parquet"
    times = {path: path.stat().st_mtime_ns for path in (kept, study / "responses.parquet")}
    Study.run(Study.open(finished).config, study)
    said = caplog.text
    for name in (
        "constrained-0000.parquet is damaged",
        "shard-00000.safetensors is missing",
        "specificity.parquet",
    ):
        assert name in said
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert faults(study, recompute=True) == {}
    assert (study / "summary.json").read_bytes() == (finished / "summary.json").read_bytes()


def test_a_manifest_of_another_version_is_made_again(
    finished: Path, study: Path, caplog: pytest.LogCaptureFixture
):
    manifest = json.loads((study / "activations" / "manifest.json").read_text())
    (study / "activations" / "manifest.json").write_text(json.dumps(manifest | {"format": 0}))
    Study.run(Study.open(finished).config, study)
    assert "manifest.json is damaged" in caplog.text
    assert faults(study) == {}
