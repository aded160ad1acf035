"""What a finished study holds: a whole one in miniature, on a small random checkpoint."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from if_circuits.analyses.base import ANALYSES, AnalysisSettings
from if_circuits.study import Study, StudyConfig
from tests.study.miniature import TASKS, content

pytestmark = pytest.mark.slow


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
        assert claim["verdict"] in ("supported", "not supported", "inconclusive", "described")
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


def test_report_shows_every_claim_and_figure(finished: tuple[Path, Path]):
    page = (finished[1] / "report.html").read_text()
    for result in Study.open(finished[1]).results.values():
        assert result.name in page
    assert page.count("data:image/png;base64,") == len(ANALYSES) + 1
    assert "no number on this page is the paper's" in page


def test_every_figure_of_a_study_can_be_drawn(finished: tuple[Path, Path]):
    for name, result in Study.open(finished[1]).results.items():
        figure = result.figure()
        figure.set_layout_engine("none")
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        assert np.ptp(np.asarray(canvas.buffer_rgba())) > 0, f"{name}: an empty page"


def test_every_table_of_results_lies_there_as_csv(finished: tuple[Path, Path]):
    _, out = finished
    tables = {path.stem: pd.read_parquet(path) for path in (out / "results").glob("*.parquet")}
    shown = {name: table for name, table in tables.items() if not name.startswith("readings")}
    assert {path.stem for path in (out / "csv").iterdir()} == set(shown)
    for name, table in shown.items():
        read = pd.read_csv(out / "csv" / f"{name}.csv") if len(table.columns) else pd.DataFrame()
        assert (list(read.columns), len(read)) == (list(table.columns), len(table)), name


@pytest.mark.parametrize("tasks", [("toxicity",), ("topic", "register")])
def test_few_tasks_and_few_base_queries_end_in_a_report_without_verdicts(
    tasks: tuple[str, ...],
    checkpoint: Callable[[str], Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
):
    """It is said before anything is captured, and nothing more is asked of the model."""
    said: list[str] = []

    def told(stage: str, done: int, total: int) -> None:
        del done, total
        if stage == "activations" and not said:
            said.extend(record.getMessage() for record in caplog.records)

    config = StudyConfig(
        model=str(checkpoint("llama")),
        suite="controlled",
        tasks=tasks,
        n_base_queries=6,
        samples_per_prompt=1,
        max_new_tokens=6,
        settings=AnalysisSettings(n_folds=3, n_bootstrap=10, n_permutations=10, n_random_subspaces=2),
    )
    study = Study.run(config, tmp_path / "study", progress=told)
    assert study.directory.report.is_file()
    assert {result.verdict.verdict for result in study.results.values()} == {"inconclusive"}
    assert any("0 of 8 analyses have enough labels" in line for line in said)
    for name, result in study.results.items():
        (why,) = [line for line in said if f"{name} can have no verdict" in line]
        assert "6 base queries, and 10 are needed" in why
        assert "base queries would do" in why
        assert result.verdict.notes[0] in why
    assert "spared their work on the model: causal_ablation, localisation" in said[-1]
    assert set(study.results["causal_ablation"].table["matrix"]).isdisjoint({"behaviour"})
    assert "carried" not in study.results["localisation"].tables
