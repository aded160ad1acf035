import math
from pathlib import Path

import pandas as pd
import pytest

from if_circuits.analyses.base import AnalysisResult, Verdict
from if_circuits.errors import InputError
from if_circuits.study import StudyConfig
from if_circuits.study.directory import StudyDirectory

CONFIG = StudyConfig(model="if-tiny", seed=4)


def create(root: Path) -> StudyDirectory:
    return StudyDirectory.create(root, {"config": CONFIG.to_json(), "seed": 4})


def test_what_was_created_is_found_with_its_configuration(tmp_path: Path):
    create(tmp_path / "deep" / "study")
    found = StudyDirectory.find(tmp_path / "deep" / "study")
    assert found is not None
    assert found.config == CONFIG


def test_places_without_a_study(tmp_path: Path):
    assert StudyDirectory.find(tmp_path / "absent") is None
    assert StudyDirectory.find(tmp_path) is None
    with pytest.raises(InputError, match="no study"):
        StudyDirectory.open(tmp_path)


def test_directories_of_others_are_refused_and_left_alone(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="holds files but no study"):
        StudyDirectory.find(tmp_path)
    with pytest.raises(InputError, match="is a file"):
        StudyDirectory.find(tmp_path / "thesis.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_results_survive_the_disk_with_undefined_numbers(tmp_path: Path):
    directory = create(tmp_path)
    verdict = Verdict("c", "inconclusive", math.nan, (0.1, math.nan), 0.5, 12, "rule", ("one", "two"))
    table = pd.DataFrame({"task": ["topic"], "auroc": [0.5]})
    directory.write_result(AnalysisResult("specificity", table, verdict, {"null": table * 2}))
    read = directory.read_result("specificity")
    assert (read.verdict.interval[0], read.verdict.notes, read.verdict.n) == (0.1, ("one", "two"), 12)
    assert math.isnan(read.verdict.effect)
    assert math.isnan(read.verdict.interval[1])
    pd.testing.assert_frame_equal(read.table, table)
    pd.testing.assert_frame_equal(read.tables["null"], table * 2)


def test_a_result_that_is_missing_says_how_to_get_it(tmp_path: Path):
    with pytest.raises(InputError, match="if-circuits analyse"):
        create(tmp_path).read_result("specificity")
