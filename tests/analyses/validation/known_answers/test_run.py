"""The pipeline on models with a planted mechanism: it has to find what was planted."""

from pathlib import Path

import pytest

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.validation.known_answers.run import answers_of, mechanism_of
from if_circuits.study import Study, StudyConfig

pytestmark = pytest.mark.slow

TASKS = ("json_format", "term_inclusion", "topic", "sentiment", "register")
"""Of all families; similarity needs five."""
STRUCTURE = ("mechanism", "cross_task_transfer", "representational_similarity", "clusters of transfer")
DIRECTIONS = ("direction: logistic probe", "direction: LEACE, removed", "direction: mean difference")


@pytest.mark.parametrize(
    ("name", "verdict", "clusters"),
    [("universal", "not supported", "1 groups"), ("compositional", "supported", "5 groups")],
)
def test_the_planted_mechanism_is_found(name: str, verdict: str, clusters: str, tmp_path: Path) -> None:
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
    answers = answers_of(Study.run(config, tmp_path / "study"), model, mechanism).set_index("question")
    assert answers.loc["mechanism", "found"] == name
    assert answers.loc["cross_task_transfer", "found"] == verdict
    assert answers.loc["representational_similarity", "found"] == verdict
    assert answers.loc["clusters of transfer", "found"] == clusters
    assert set(answers.loc[[*STRUCTURE], "right"]) == {"right"}
    # 180 constrained responses of a task, in 128 dimensions: too few for the probe, which need not be near.
    found = {question: float(answers.loc[question, "effect"]) for question in DIRECTIONS}
    assert all(cosine > 0.5**0.5 for question, cosine in found.items() if "probe" not in question), found
