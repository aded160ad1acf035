"""A study that is begun again: it goes on, is left as it is, or is refused and its directory untouched."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from if_circuits.cli import main as cli
from if_circuits.errors import InputError
from if_circuits.models.loading import LoadedModel, load_model
from if_circuits.models.settings import RunSettings
from if_circuits.study import Study, StudyConfig
from if_circuits.study.directory import StudyDirectory
from tests.study.miniature import command, content

pytestmark = pytest.mark.slow


def test_what_is_missing_of_the_readings_is_read_again(finished: tuple[Path, Path], tmp_path: Path):
    """`analyse` has no model for it and does without; `run` has one."""
    copy = shutil.copytree(finished[1], tmp_path / "study")
    before = content(copy)
    for path in (copy / "results").glob("readings*"):
        path.unlink()
    assert cli.main(["analyse", str(copy), "--only", "specificity"]) == 0
    assert not list((copy / "results").glob("readings*"))
    assert (copy / "report.html").is_file()
    assert cli.main(command(finished[0], copy)) == 0
    after = content(copy)
    assert {name for name in before if "readings" in name} == {name for name in after if "readings" in name}


def test_a_finished_study_is_left_as_it_is(
    finished: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    model, out = finished
    copy = shutil.copytree(out, tmp_path / "study")
    before = content(copy)
    assert cli.main(command(model, copy)) == 0
    assert content(copy) == before
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"report: {copy / 'report.html'}"


@pytest.mark.parametrize("stopped_at", ["pipeline.capture_activations", "closing.close_study"])
def test_a_stopped_study_goes_on_and_ends_the_same(
    finished: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_at: str
):
    """Stop a run as a stage begins, without the files that the stages after it left behind."""
    model, out = finished
    copy = tmp_path / "study"
    with monkeypatch.context() as patch:

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(f"if_circuits.study.{stopped_at}", stop)
        assert cli.main(command(model, copy)) == 130
    assert not (copy / "summary.json").exists()
    generated = {path: path.stat().st_mtime_ns for path in copy.glob("generated/*")}
    assert cli.main(command(model, copy)) == 0
    assert {path: path.stat().st_mtime_ns for path in generated} == generated
    again, first = content(copy), content(out)
    # The record and the report state seconds.
    for name in ("study.json", "report.html"):
        assert again.pop(name) != b""
        first.pop(name)
    assert again == first


def test_another_study_is_refused_and_its_directory_untouched(
    finished: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    model, out = finished
    copy = shutil.copytree(out, tmp_path / "study")
    before = content(copy)
    assert cli.main(command(model, copy, "--seed", "6")) == 2
    assert "seed 5 against 6" in capsys.readouterr().err
    assert content(copy) == before


def test_options_that_failed_at_once_can_be_corrected(
    finished: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "study"
    run = ["run", str(finished[0]), "--out", str(out), "--tasks", "topic", "--analyses", "specificity"]
    run += ["--folds", "3", "--suite", "controlled"]
    assert cli.main([*run, "--base-queries", "100000"]) == 2
    assert cli.main([*run, "--base-queries", "3", "--max-new-tokens", "100000"]) == 2
    assert "context" in capsys.readouterr().err
    assert cli.main([*run, "--base-queries", "3", "--max-new-tokens", "4"]) == 0


def test_changed_weights_behind_a_name_are_refused(
    finished: tuple[Path, Path], tmp_path: Path, checkpoint: Callable[[str], Path]
):
    model = shutil.copytree(finished[0], tmp_path / "model")
    config = StudyConfig(
        model=str(model),
        suite="controlled",
        tasks=("topic",),
        n_base_queries=1,
        prompts_per_query=1,
        analyses=(),
    )
    Study.run(config, tmp_path / "study")
    shutil.rmtree(model)
    shutil.copytree(checkpoint("qwen2"), model)
    with pytest.raises(InputError, match="other weights"):
        Study.run(config, tmp_path / "study")


def test_weights_changed_in_memory_are_refused(
    finished: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Whatever hands a study its model: files that are as they were vouch for nothing in memory."""
    study = shutil.copytree(finished[1], tmp_path / "study")

    def altered(*arguments: Any, **options: Any) -> LoadedModel:
        model = load_model(*arguments, **options)
        next(model.hf.parameters()).data[3, 4] += 1e-3
        return model

    monkeypatch.setattr("if_circuits.study.identity.load_model", altered)
    with pytest.raises(InputError, match="other weights"):
        Study.run(Study.open(study).config, study)


def test_a_study_records_how_it_runs_its_model_and_leaves_the_preset_as_it_was(
    finished: tuple[Path, Path], tmp_path: Path
):
    study = Study.open(finished[1])
    model = load_model(study.config.model)
    assert study.run_settings == RunSettings.of(model.preset, max_new_tokens=12)
    assert model.preset.max_new_tokens != 12
    assert study.responses["n_tokens"].max() == 12
    copy = shutil.copytree(finished[1], tmp_path / "study")
    record = json.loads((copy / "study.json").read_text())
    record["run_settings"]["max_new_tokens"] = 11  # as if the preset had said so when the study began
    (copy / "study.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="max_new_tokens=11.*max_new_tokens=12"):
        Study.run(study.config, copy)


def test_one_analysis_can_be_done_again(finished: tuple[Path, Path], tmp_path: Path):
    copy = shutil.copytree(finished[1], tmp_path / "study")
    times = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    before = content(copy)
    assert cli.main(["analyse", str(copy), "--only", "layer_stratification"]) == 0
    changed = {path.relative_to(copy) for path, time in times.items() if path.stat().st_mtime_ns != time}
    assert {
        Path("results/layer_stratification.parquet"),
        Path("report.html"),
        Path("summary.json"),
    } <= changed
    assert not {path for path in changed if "specificity.parquet" in path.name or "activations" in path.parts}
    after = content(copy)
    assert after["results/layer_stratification.parquet"] == before["results/layer_stratification.parquet"]
    assert after["summary.json"] == before["summary.json"]


@pytest.mark.parametrize(
    ("changes", "match"),
    [({"layers": (9,)}, "no layer 9"), ({"tasks": ("rhyme",)}, "rhyme"), ({"device": "toaster"}, "toaster")],
)
def test_what_cannot_be_run_leaves_no_directory(
    checkpoint: Callable[[str], Path], tmp_path: Path, changes: dict[str, object], match: str
):
    values = {"model": str(checkpoint("llama")), **changes}
    with pytest.raises(InputError, match=match):
        Study.run(StudyConfig(**values), tmp_path / "study")  # pyright: ignore[reportArgumentType]
    assert not (tmp_path / "study").exists()


def test_a_report_of_what_is_done_says_what_is_not(
    finished: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """The record stays as it is, so that the study can go on; a finished study's report is left alone."""
    root = shutil.copytree(finished[1], tmp_path / "study")
    before = content(root)
    assert cli.main(["report", str(root)]) == 0
    assert capsys.readouterr().out == f"report: {root / 'report.html'}\n"
    assert content(root) == before
    ledger = StudyDirectory(root).ledger
    stages = ledger.read()["stages"]
    ledger.update(
        stages={name: stages[name] for name in stages if name not in ("analyses.specificity", "closing")}
    )
    (root / "report.html").unlink()
    (root / "results" / "specificity.json").unlink()
    record = ledger.read()
    assert cli.main(["report", str(root)]) == 0
    assert capsys.readouterr().out.startswith("not done yet: specificity\n")
    page = (root / "report.html").read_text("utf-8")
    assert "This study is not finished." in page
    assert "Not done yet: Specificity." in page
    assert 'id="specificity"' not in page
    assert 'id="cross_task_transfer"' in page
    assert ledger.read() == record
