"""The pipeline on models with a planted mechanism: it has to find what was planted."""

from pathlib import Path

import pandas as pd
import pytest

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.validation.known_answers.answers import NEAR
from if_circuits.analyses.validation.known_answers.run import answers_of, mechanism_of
from if_circuits.study import Study, StudyConfig

pytestmark = pytest.mark.slow

TASKS = ("json_format", "term_inclusion", "topic", "sentiment", "register")
"""Of all families; similarity needs five."""
ABLATABLE = ("direction: LEACE, removed", "direction: mean difference")


def study_of(name: str, out: Path) -> pd.DataFrame:
    """The answers of a small study of a shipped model, by question."""
    model = f"if-tiny-{name}"
    config = StudyConfig(
        model=model,
        tasks=TASKS,
        n_base_queries=45,
        prompts_per_query=2,
        greedy=False,
        layers=(2,),
        analyses=("cross_task_transfer", "representational_similarity"),
        settings=AnalysisSettings(n_folds=3, n_bootstrap=100, n_permutations=20, n_random_subspaces=2),
    )
    mechanism = mechanism_of(model)
    assert mechanism.layer == 2
    return answers_of(Study.run(config, out), model, mechanism).set_index("question")


def test_mechanisms_of_their_own_are_found(tmp_path: Path) -> None:
    """The whole study finds shared variance of -0.03 and transfer of 0.01. Five tasks leave transfer open."""
    answers = study_of("compositional", tmp_path / "study")
    assert answers.loc["mechanism", "right"] != "wrong"
    assert answers.loc["representational_similarity", "found"] == "supported"
    assert answers.loc["cross_task_transfer", "found"] != "not supported"
    for question in ("cross_task_transfer", "representational_similarity"):
        assert answers.loc[question, "effect"] < 0.3
    assert all(answers.loc[question, "effect"] > NEAR for question in ABLATABLE)


def test_one_mechanism_is_not_taken_for_several(tmp_path: Path) -> None:
    """The whole study finds 0.62 and 0.65, so near 0.5 that a small one may leave the verdicts open."""
    answers = study_of("universal", tmp_path / "study")
    assert answers.loc["mechanism", "right"] != "wrong"
    for question in ("cross_task_transfer", "representational_similarity"):
        assert answers.loc[question, "found"] != "supported"
        assert answers.loc[question, "effect"] > 0.3
    assert all(answers.loc[question, "effect"] > NEAR for question in ABLATABLE)
