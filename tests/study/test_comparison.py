"""Studies side by side: what the tables say, what is flagged, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from if_circuits.analyses.base import ANALYSES, AnalysisResult, AnalysisSettings, Verdict
from if_circuits.cli import main as cli
from if_circuits.errors import InputError
from if_circuits.io.files import write_parquet
from if_circuits.study import StudyConfig
from if_circuits.study.comparison import compare
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.order import stage_names

RULE = "supported when the 95 % interval lies wholly above 0.5; not supported when it lies wholly below 0.5"
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes a study that is finished as far as its record and results say, without running a model."""

    def study(
        name: str,
        *,
        seed: int = 0,
        verdict: Any = "supported",
        version: str = "0.2.0",
        code: str = "x",
        done: int | None = None,
        n_bootstrap: int = 1000,
        effect: float = 0.7,
    ) -> Path:
        settings = AnalysisSettings(n_bootstrap=n_bootstrap, seed=seed)
        config = StudyConfig("if-tiny", seed=seed, settings=settings)
        record = {"config": config.to_json(), "run_settings": {}}
        root = tmp_path / name
        root.mkdir(parents=True)
        directory = StudyDirectory.create(root, {**record, "versions": {"if_circuits": version}})
        for analysis in ANALYSES:
            found = Verdict(
                f"claim of {analysis}", verdict, effect, (effect - 0.1, effect + 0.1), 0.01, 30, RULE
            )
            directory.write_result(AnalysisResult(analysis, pd.DataFrame({"task": ["topic"]}), found))
        shares = {"constrained": 0.8, "unconstrained": 0.1, "difference": 0.7, "low": 0.6, "high": 0.8}
        row = {"task": "json_format", "family": "structural", **shares, "n": 180, "note": ""}
        write_parquet(directory.compliance, pd.DataFrame([row]))
        for stage in stage_names(config)[:done]:
            key = {f"the code of {stage.removeprefix('analyses.')}": code}
            directory.ledger.finish(stage, inputs=[], key=key, outputs=[], seconds=1.0, peak_memory_mb=1.0)
        return root

    return study


def test_every_claim_of_every_study_is_a_row_with_its_numbers(make: Make):
    found = compare([make("a"), make("b", seed=1, effect=0.4, verdict="inconclusive")])
    assert len(found.table) == 2 * len(ANALYSES)
    assert found.table["analysis"].tolist() == [name for name in ANALYSES for _ in "ab"]
    row = found.table[(found.table["analysis"] == "specificity") & (found.table["study"] == "b")].iloc[0]
    assert (row["verdict"], row["model"], row["seed"], row["n"], row["p"]) == (
        "inconclusive",
        "if-tiny",
        1,
        30,
        0.01,
    )
    # The numbers go through JSON, which keeps a float exactly.
    assert (row["effect"], row["low"], row["high"]) == (0.4, 0.4 - 0.1, 0.4 + 0.1)
    assert found.compliance["study"].tolist() == ["a", "b"]
    assert found.compliance["constrained"].tolist() == [0.8, 0.8]


def test_agreement_counts_pairs_of_studies(make: Make):
    verdicts = ("supported", "supported", "not supported")
    found = compare([make(str(place), seed=place, verdict=each) for place, each in enumerate(verdicts)])
    row = found.agreement.set_index("analysis").loc["specificity"]
    assert (row["n_studies"], row["supported"], row["not_supported"], row["inconclusive"]) == (3, 2, 1, 0)
    assert row["agreement"] == 1 / 3  # of the pairs 01, 02 and 12, the first
    assert row["contradicted"]
    agreed = compare([make("a"), make("b", seed=1)]).agreement
    assert agreed["agreement"].tolist() == [1.0] * len(ANALYSES)
    assert not agreed["contradicted"].any()


def test_other_rules_are_flagged_and_other_seeds_only_told(make: Make):
    one = make("a")
    assert compare([one, make("seed", seed=1)]).warnings == ()
    told = compare([one, make("other", seed=2, n_bootstrap=50, version="0.1.0")])
    assert told.warnings == (
        "other has other rules than a: settings.n_bootstrap 1000 against 50",
        "other has other rules than a: if_circuits 0.2.0 against 0.1.0",
    )
    assert told.differences["difference"].tolist()[0] == "seed 0 against 2"
    changed = compare([one, make("code", code="y")]).warnings
    assert changed == (f"code has other rules than a: the code of {', '.join(ANALYSES)} is not the same",)


def test_what_is_no_finished_study_is_refused(make: Make, tmp_path: Path):
    one = make("a")
    with pytest.raises(InputError, match="got 1 study; give the directories of two"):
        compare([one])
    with pytest.raises(InputError, match="got 1 study"):
        compare(str(one))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="is given twice"):
        compare([one, tmp_path / "." / "a"])
    with pytest.raises(InputError, match="there is no study in"):
        compare([one, tmp_path / "nothing"])
    with pytest.raises(
        InputError, match=r"not a finished study: closing is not done; go on with `if-circuits run"
    ):
        compare([one, make("begun", done=-1)])
    stale = make("stale")
    StudyDirectory.open(stale).ledger.mark_stale(["analyses.specificity"])
    with pytest.raises(InputError, match=r"analyses\.specificity is not done"):
        compare([one, stale])


def test_studies_of_one_name_are_told_apart(make: Make):
    roots = [make("one/study"), make("two/study", seed=1)]
    assert compare(roots).compliance["study"].tolist() == list(map(str, roots))


def test_the_figure_has_a_panel_a_claim_and_a_marker_a_verdict(make: Make):
    outcomes = ("supported", "not supported", "inconclusive", "described")
    roots = [make(each.replace(" ", "-"), seed=seed, verdict=each) for seed, each in enumerate(outcomes)]
    figure = compare(roots).figure()
    FigureCanvasAgg(figure).draw()
    panels = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left") for axes in panels] == [f"claim of {name}" for name in ANALYSES]
    for axes in panels:
        assert [label.get_text() for label in axes.get_yticklabels()] == [root.name for root in roots]
        marks = [line for line in axes.lines if line.get_marker() in ("o", "X", "D", "|")]
        assert [(line.get_marker(), np.asarray(line.get_xdata()).tolist()) for line in marks] == [
            ("o", [0.7]), ("X", [0.7]), ("D", [0.7]), ("|", [0.7])
        ]  # fmt: skip
        assert len({line.get_color() for line in marks}) == 4
        assert any(np.asarray(line.get_xdata()).tolist() == [0.5, 0.5] for line in axes.lines)  # threshold
    boxes = [axes.get_tightbbox() for axes in panels]
    assert not any(
        upper is None or lower is None or upper.y0 < lower.y1 for upper, lower in zip(boxes, boxes[1:])
    )


def test_a_study_without_an_effect_says_so_in_its_row(make: Make):
    figure = compare([make("a"), make("b", seed=1, effect=float("nan"), verdict="inconclusive")]).figure()
    assert [text.get_text() for text in figure.axes[0].texts] == ["no effect to measure"]


def test_the_command_prints_writes_and_flags(make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    roots = [make("a"), make("b", seed=1, n_bootstrap=50)]
    out = tmp_path / "compared"
    assert cli.main(["compare", *map(str, roots), "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "supported: 0.700 [0.600, 0.800]" in " ".join(printed.out.split())
    assert "b has other rules than a: settings.n_bootstrap 1000 against 50" in printed.err
    names = {path.name for path in out.iterdir()}
    parts = {f"compare.{part}.parquet" for part in ("compliance", "agreement", "differences")}
    assert names == {"compare.parquet", "compare.png", "compare.md", "compare.html", *parts}
    pd.testing.assert_frame_equal(pd.read_parquet(out / "compare.parquet"), compare(roots).table)
    text = (out / "compare.md").read_text()
    assert "| json format | 0.80 / 0.10 (n = 180) | 0.80 / 0.10 (n = 180) |" in text
    assert "![effects of every claim by study](compare.png)" in text
    assert "data:image/png;base64," in (out / "compare.html").read_text()


def test_what_a_study_calls_itself_is_shown_as_text(make: Make):
    shown = compare([make("<b>a"), make("b", seed=1)])._repr_html_()
    assert "<b>a" not in shown
    assert "&lt;b&gt;a" in shown


def test_a_damaged_record_is_one_line(make: Make, capsys: pytest.CaptureFixture[str]):
    one, other = make("a"), make("b")
    (other / "study.json").write_text(json.dumps({"format": 1}))
    assert cli.main(["compare", str(one), str(other)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    shutil.rmtree(other / "results")
    with pytest.raises(InputError):
        compare([one, other])
