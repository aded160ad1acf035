"""The whole study in miniature on every architecture: the same configuration, unchanged."""

from collections.abc import Callable
from pathlib import Path

import pytest

from if_circuits.analyses.base import ANALYSES, AnalysisSettings
from if_circuits.study import Study, StudyConfig
from tests.checkpoints import ARCHITECTURES

TASKS = ("character_count", "term_exclusion", "register")
SETTINGS = AnalysisSettings(n_folds=3, n_bootstrap=10, n_permutations=10, n_random_subspaces=2)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_whole_study_runs_on(
    architecture: str, checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    config = StudyConfig(
        model=str(checkpoint(architecture)),
        tasks=TASKS,
        n_base_queries=9,
        prompts_per_query=1,
        samples_per_prompt=2,
        max_new_tokens=10,
        layers=(-1, 2),
        settings=SETTINGS,
    )
    study = Study.run(config, tmp_path / "study")

    assert list(study.results) == list(ANALYSES)
    assert all(len(result.table) for result in study.results.values())
    assert study.compliance["task"].tolist() == list(TASKS)
    assert study.activations.layers == (-1, 2)
    n_sampled = len(TASKS) * 9 * 2 * 2
    assert study.activations.features(2, "prompt_end").shape == (n_sampled, 32)
    assert study.directory.report.stat().st_size > 0
