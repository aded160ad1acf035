import math
from pathlib import Path

import pandas as pd
import pytest

from if_circuits.analyses.base import AnalysisResult, Verdict
from if_circuits.analyses.validation.marked_table import markers
from if_circuits.analyses.validation.study_table import compliance_markdown, main, verdicts_markdown
from if_circuits.study.config import StudyConfig
from if_circuits.study.directory import StudyDirectory


def result(name: str, verdict: Verdict) -> AnalysisResult:
    return AnalysisResult(name, pd.DataFrame({"task": ["topic"]}), verdict)


FOUND = Verdict("transfer is weak", "supported", -0.0123, (-0.0456, 0.0222), 0.0004, 100, "a rule")
NOTHING = Verdict("few are shared", "inconclusive", math.nan, (math.nan, math.nan), math.nan, 0, "a rule")
RESULTS = {
    "cross_task_transfer": result("cross_task_transfer", FOUND),
    "representational_similarity": result("representational_similarity", NOTHING),
}


def page(*names: str) -> str:
    return "".join(f"about {name}\n{markers(name)[0]}\nold\n{markers(name)[1]}\n" for name in names)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of two analyses, with a task that six of eight responses satisfy, and one unasked."""
    config = StudyConfig(model="if-tiny", n_base_queries=8, analyses=tuple(RESULTS))
    directory = StudyDirectory.create(tmp_path / "study", {"config": config.to_json()})
    for each in RESULTS.values():
        directory.write_result(each)
    compliance = {"task": ["topic"], "constrained": [0.75], "unconstrained": [0.125], "n": [8]}
    pd.DataFrame(compliance).to_parquet(directory.compliance)
    return directory.root


def test_a_number_that_does_not_exist_is_a_dash_and_not_nan():
    lines = verdicts_markdown(RESULTS).splitlines()
    assert lines[2] == (
        "| transfer is weak (`cross_task_transfer`) | supported | text | −0.012 | [−0.046, 0.022] | < 0.001 "
        "| 100 |"
    )
    assert lines[3] == (
        "| few are shared (`representational_similarity`) | inconclusive | decodable | – | – | – | – |"
    )


def test_compliance_stands_beside_what_is_satisfied_unasked():
    table = pd.DataFrame([{"task": "topic", "constrained": 0.754, "unconstrained": 0.0, "n": 600}])
    assert compliance_markdown(table).splitlines()[2:] == ["| `topic` | 0.75 | 0.00 | 600 |"]


def test_each_file_gets_the_tables_that_it_has_a_place_for(study: Path, tmp_path: Path):
    readme, results = tmp_path / "README.md", tmp_path / "results.md"
    readme.write_text(page("verdicts"))
    results.write_text(page("verdicts", "compliance") + "after\n")
    assert main([str(study), str(readme), str(results)]) == 0
    assert verdicts_markdown(RESULTS) in readme.read_text()
    assert "topic`" not in readme.read_text()
    text = results.read_text()
    assert verdicts_markdown(RESULTS) in text
    assert "| `topic` | 0.75 | 0.12 | 8 |" in text
    assert "old" not in text
    assert text.startswith("about verdicts\n")
    assert text.endswith("after\n")


@pytest.mark.parametrize("text", ["no markers\n", markers("compliance")[1] + "\n"])
def test_no_file_changes_where_one_has_no_place_for_a_table(
    study: Path, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
):
    good, bad = tmp_path / "good.md", tmp_path / "bad.md"
    good.write_text(page("verdicts"))
    bad.write_text(text)
    assert main([str(study), str(good), str(bad)]) == 2
    assert good.read_text() == page("verdicts")
    assert "start" in capsys.readouterr().err


def test_a_directory_without_a_study_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "page.md").write_text(page("verdicts"))
    assert main([str(tmp_path / "none"), str(tmp_path / "page.md")]) == 2
    assert "none" in capsys.readouterr().err
