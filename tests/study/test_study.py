"""A whole study in miniature, through the command line, on a small random checkpoint."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from if_circuits.activations.store import ActivationStore
from if_circuits.analyses.base import ANALYSES, AnalysisSettings
from if_circuits.cli import main as cli
from if_circuits.errors import InputError
from if_circuits.models.loading import LoadedModel, load_model
from if_circuits.models.settings import RunSettings
from if_circuits.study import Study, StudyConfig
from if_circuits.study.directory import StudyDirectory

TASKS = ("word_count", "character_count", "term_exclusion", "register")
OPTIONS = (
    "--base-queries 12 --prompts-per-query 2 --samples 2 --max-new-tokens 12 --seed 5 --folds 3 "
    "--bootstrap 20 --permutations 20 --random-subspaces 3"
)
pytestmark = pytest.mark.slow


def command(model: Path, out: Path, *more: str) -> list[str]:
    suite = ["--suite", "controlled"]
    return ["run", str(model), "--out", str(out), *suite, "--tasks", *TASKS, *OPTIONS.split(), *more]


@pytest.fixture(scope="session")
def finished(
    checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """The model's directory and that of its study, run once. Copy the study before altering it."""
    out = tmp_path_factory.mktemp("studies") / "study"
    assert cli.main(command(checkpoint("llama"), out)) == 0
    return checkpoint("llama"), out


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_every_file_of_a_study_is_there(finished: tuple[Path, Path]):
    _, out = finished
    expected = {"study.json", "prompts.parquet", "responses.parquet", "report.html", "summary.json"}
    expected |= {"counterfactual.parquet"}
    expected |= {f"results/{name}.parquet" for name in ANALYSES}
    expected |= {f"figures/{name}.png" for name in (*ANALYSES, "compliance")}
    files = set(content(out))
    assert expected <= files
    assert any(name.startswith("activations/") and name.endswith(".safetensors") for name in files)
    assert not [path for path in out.iterdir() if "partial" in path.name or "at-work" in path.name]


def test_record_says_what_was_run_on_what_and_at_what_cost(finished: tuple[Path, Path]):
    model, out = finished
    record = json.loads((out / "study.json").read_text())
    assert record["config"]["model"] == record["model"]["name"] == str(model)
    assert record["seed"] == 5
    assert len(record["model"]["fingerprint"]) >= 16
    assert {"python", "torch", "transformer-lens", "if_circuits"} <= set(record["versions"])
    stages = {"prompts", "responses.constrained", "verification", "activations", "closing"}
    assert stages | {f"analyses.{name}" for name in ANALYSES} <= set(record["stages"])
    assert all(cost["seconds"] >= 0 and cost["peak_memory_mb"] > 50 for cost in record["stages"].values())
    assert record["stale"] == []


def test_summary_has_the_compliance_and_the_claims(finished: tuple[Path, Path]):
    _, out = finished
    summary = json.loads((out / "summary.json").read_text(), parse_constant=pytest.fail)
    assert set(summary) == {"model", "compliance", "claims"}
    assert set(summary["compliance"]) == set(TASKS)
    for row in summary["compliance"].values():
        assert set(row) == {"constrained", "unconstrained", "n"}
        assert row["n"] == 12 * 2 * 2
        assert 0 <= row["constrained"] <= 1
    assert list(summary["claims"]) == list(ANALYSES)
    for claim in summary["claims"].values():
        assert set(claim) == {"verdict", "effect", "interval", "p", "n", "rung", "assumes", "broken_by"}
        assert claim["rung"] in ("text", "decodable", "causal")
        assert claim["verdict"] in ("supported", "not supported", "inconclusive")
        assert len(claim["interval"]) == 2


def test_responses_are_sampled_twinned_and_greedy(finished: tuple[Path, Path]):
    responses = Study.open(finished[1]).responses
    n_prompts = len(TASKS) * 12 * 2
    counts = responses.groupby(["constrained", "temperature"]).size().to_dict()
    assert counts == {(True, 1.0): 2 * n_prompts, (False, 1.0): 2 * n_prompts, (True, 0.0): n_prompts}
    assert responses["response_id"].is_unique
    assert set(responses["verdict"]) <= {"satisfied", "violated", "undecided"}


def test_compliance_follows_from_the_responses(finished: tuple[Path, Path]):
    study = Study.open(finished[1])
    rows = study.responses.query("task == 'character_count' and constrained and temperature > 0")
    shown = study.compliance.set_index("task").loc["character_count"]
    assert shown["constrained"] == (rows["verdict"] == "satisfied").mean()
    assert shown["undecided"] == (rows["verdict"] == "undecided").sum()


def test_activations_are_those_of_the_sampled_responses(finished: tuple[Path, Path]):
    activations = Study.open(finished[1]).activations
    assert activations.layers == (-1, 0, 1, 2)
    assert (activations.responses["temperature"] > 0).all()
    assert set(activations.responses["constrained"]) == {True, False}
    features = activations.features(2, "prompt_end")
    assert features.shape == (len(activations.responses), 32)
    assert not pd.isna(features).any()


def test_results_read_back_as_the_summary_tells_them(finished: tuple[Path, Path]):
    study = Study.open(finished[1])
    claims = json.loads((finished[1] / "summary.json").read_text())["claims"]
    assert list(study.results) == list(ANALYSES)
    for name, result in study.results.items():
        assert result.verdict.verdict == claims[name]["verdict"]
        assert len(result.table)
        effect = claims[name]["effect"]
        assert math.isnan(result.verdict.effect) if effect is None else result.verdict.effect == effect


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


def test_report_shows_every_claim_and_figure(finished: tuple[Path, Path]):
    page = (finished[1] / "report.html").read_text()
    for result in Study.open(finished[1]).results.values():
        assert result.name in page
    assert page.count("data:image/png;base64,") == len(ANALYSES) + 1
    assert "no number on this page is the paper's" in page


def test_every_table_of_results_lies_there_as_csv(finished: tuple[Path, Path]):
    _, out = finished
    tables = {path.stem: pd.read_parquet(path) for path in (out / "results").glob("*.parquet")}
    shown = {name: table for name, table in tables.items() if not name.startswith("readings")}
    assert {path.stem for path in (out / "csv").iterdir()} == set(shown)
    for name, table in shown.items():
        read = pd.read_csv(out / "csv" / f"{name}.csv") if len(table.columns) else pd.DataFrame()
        assert (list(read.columns), len(read)) == (list(table.columns), len(table)), name


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

    monkeypatch.setattr("if_circuits.study.study.load_model", altered)
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


def test_what_cannot_be_run_leaves_no_directory(
    finished: tuple[Path, Path], tmp_path: Path, changes: dict[str, object], match: str
):
    values = {"model": str(finished[0]), **changes}
    with pytest.raises(InputError, match=match):
        Study.run(StudyConfig(**values), tmp_path / "study")  # pyright: ignore[reportArgumentType]
    assert not (tmp_path / "study").exists()


def test_pairs_are_captured_responses_under_other_prompts(finished: tuple[Path, Path]):
    """The same response tokens at the same positions, on the same folds as the natural labels."""
    study = Study.open(finished[1])
    natural, pairs = study.activations, study.activations.counterfactual
    assert pairs is not None
    assert (pairs.layers, pairs.positions) == (natural.layers, natural.positions)
    assert pairs.base_queries == natural.base_queries
    responses = natural.responses.set_index("response_id")
    for asked in (natural.responses, pairs.responses):  # encoded alike
        tokens = load_model(str(finished[0])).chat.encode(asked["prompt"].tolist())
        assert tokens == [list(row) for row in asked["prompt_tokens"]]
    stores = [
        ActivationStore.open(finished[1] / name) for name in ("activations", "activations-counterfactual")
    ]
    places = [store.index.set_index("response_id") for store in stores]
    for row in pairs.responses.to_dict("records"):
        own = responses.loc[row["pair"]]
        assert own["verdict"] == "satisfied"
        for column in ("response", "n_tokens", "truncated", "base_query", "task"):
            assert row[column] == own[column]
        assert list(row["response_tokens"]) == list(own["response_tokens"])
        longer = len(row["prompt_tokens"]) - len(own["prompt_tokens"])
        here, there = places[1].loc[row["response_id"]], places[0].loc[row["pair"]]
        for position in pairs.positions:
            assert here[position] == (there[position] + longer if there[position] >= 0 else there[position])


def test_the_prompt_of_a_pair_makes_the_difference(finished: tuple[Path, Path]):
    pairs = Study.open(finished[1]).activations.counterfactual
    assert pairs is not None
    X, rows = pairs.features(2, "last"), pairs.responses
    assert np.isfinite(X[(rows["n_tokens"] > 0).to_numpy()]).all()
    for _, two in rows[rows["n_tokens"] > 0].groupby("pair"):
        first, second = X[two.index]
        assert not np.allclose(first, second)
        assert np.array_equal(
            pairs.features(-1, "last")[two.index[0]], pairs.features(-1, "last")[two.index[1]]
        )


def test_probing_tables_hold_both_kinds_of_labels(finished: tuple[Path, Path]):
    results = Study.open(finished[1]).results
    for name in ("specialist_vs_general", "cross_task_transfer", "layer_stratification", "temporal_dynamics"):
        table = results[name].table
        assert set(table["labels"]) == {"natural", "counterfactual"}
        missing = table.query("labels == 'counterfactual' and reason != ''").set_index("task")["reason"]
        assert "no compliant response" in missing["word_count"]


@pytest.mark.parametrize("tasks", [("toxicity",), ("topic", "register")])
def test_few_tasks_and_few_base_queries_end_in_a_report_without_verdicts(
    tasks: tuple[str, ...], finished: tuple[Path, Path], tmp_path: Path
):
    config = StudyConfig(
        model=str(finished[0]),
        suite="controlled",
        tasks=tasks,
        n_base_queries=6,
        samples_per_prompt=1,
        max_new_tokens=6,
        settings=AnalysisSettings(n_folds=3, n_bootstrap=10, n_permutations=10, n_random_subspaces=2),
    )
    study = Study.run(config, tmp_path / "study")
    assert study.directory.report.is_file()
    assert {result.verdict.verdict for result in study.results.values()} == {"inconclusive"}
