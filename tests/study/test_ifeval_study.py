"""A study on prompts in IFEval's format: what it can say, and that it says what it cannot."""

import json
import shutil
from pathlib import Path

import pytest

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.errors import InputError
from if_circuits.study import Study, StudyConfig
from if_circuits.study.audit import audit

KINDS = {
    "length_constraints:number_words": {"relation": "less than", "num_words": 9},
    "keywords:existence": {"keywords": ["the"]},
}


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    lines = [
        json.dumps(
            {
                "key": key,
                "prompt": f"Write a short note about the {subject}.",
                "instruction_id_list": list(KINDS),
                "kwargs": list(KINDS.values()),
            }
        )
        for key, subject in enumerate(["river", "coach", "lamp", "choir", "garden", "bridge"])
    ]
    path = tmp_path / "ifeval.jsonl"
    path.write_text("\n".join(lines))
    return path


def config(prompts: Path) -> StudyConfig:
    return StudyConfig(
        model="if-tiny",
        prompts=str(prompts),
        samples_per_prompt=4,
        max_new_tokens=16,
        layers=(0,),
        analyses=("specialist_vs_general", "specificity"),
        settings=AnalysisSettings(n_folds=3, n_bootstrap=10, n_permutations=10, n_random_subspaces=2),
    )


def test_the_study_runs_without_twins_and_specificity_says_what_it_left_out(prompts: Path, tmp_path: Path):
    study = Study.run(config(prompts), tmp_path / "out")
    assert study.compliance["task"].tolist() == ["word_count", "term_inclusion"]
    assert (study.compliance["n"] == 24).all()
    assert (study.compliance["n_unconstrained"] == 0).all()
    verdict = study.results["specificity"].verdict
    assert verdict.verdict == "inconclusive"
    assert [note.split(" left out: ")[0] for note in verdict.notes[-2:]] == ["word_count", "term_inclusion"]
    assert len(study.results["specialist_vs_general"].verdict.notes) > 0
    # The file has two of the four kinds that tasks verify, and nine tasks are not to be expected of it.
    assert [fault for finding in audit(tmp_path / "out") for fault in finding.faults] == []


def test_the_file_is_told_by_its_content(prompts: Path, tmp_path: Path):
    moved = Path(shutil.copy(prompts, tmp_path / "moved.jsonl"))
    assert config(prompts).differences(config(moved)) == []
    moved.write_text(moved.read_text().replace("river", "boat"))
    assert config(prompts).differences(config(moved))
    with pytest.raises(InputError, match="missing.jsonl cannot be read"):
        config(tmp_path / "missing.jsonl")
