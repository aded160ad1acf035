"""The study in miniature on every architecture: the same configuration, unchanged.

A random model follows no constraint, so two tasks here are coins: whether the last letter of the answer is a
vowel, and whether its letters are even in number; a third whether it begins early in the alphabet. Both
labels come, so there are numbers to find, and one is known beforehand: where all prompts end in the same
token, its embedding tells nothing.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from if_circuits.analyses.base import ANALYSES, AnalysisSettings
from if_circuits.study import Study, StudyConfig
from if_circuits.tasks.registry import task
from tests.checkpoints import ARCHITECTURES, PAPER

SETTINGS = AnalysisSettings(n_folds=3, n_bootstrap=20, n_permutations=20, n_random_subspaces=2)


def _letters(response: str) -> str:
    return "".join(filter(str.isalpha, response.lower()))


@pytest.fixture
def coins() -> tuple[str, ...]:
    @task("vowel", family="lexical", draw={}, paraphrases=("End with a vowel.",))
    def vowel(response: str) -> bool:
        return _letters(response)[-1:] in tuple("aeiou")

    @task("even", family="structural", draw={}, paraphrases=("Use an even number of letters.",))
    def even(response: str) -> bool:
        return len(_letters(response)) % 2 == 0

    @task("early", family="semantic", draw={}, paraphrases=("Begin early in the alphabet.",))
    def early(response: str) -> bool:
        return _letters(response)[:1] < "n"

    return "vowel", "even", "early"


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_whole_study_has_numbers_for_any_model(
    architecture: str, coins: tuple[str, ...], checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    # Interchange is compared with plain hooks on every architecture elsewhere; here the paper's take part.
    asked = tuple(name for name in ANALYSES if architecture in PAPER or name != "localisation")
    config = StudyConfig(
        model=str(checkpoint(architecture)),
        suite="controlled",
        tasks=coins,
        n_base_queries=24,
        prompts_per_query=1,
        samples_per_prompt=4,
        max_new_tokens=6,
        layers=(-1, 2),
        analyses=asked,
        settings=SETTINGS,
    )
    study = Study.run(config, tmp_path / "study")

    assert list(study.results) == list(asked)
    n_sampled = len(coins) * 24 * 4 * 2
    assert study.activations.features(2, "prompt_end").shape == (n_sampled, 32)
    for name in ("specialist_vs_general", "temporal_dynamics"):
        verdict = study.results[name].verdict
        assert verdict.n == 24
        assert verdict.interval[0] <= verdict.effect <= verdict.interval[1]
    table = study.results["specialist_vs_general"].table
    read = table[(table["task"] == "vowel") & (table["probe"] == "specialist") & (table["layer"] == -1)]
    auroc = read.set_index("position")["auroc"]
    assert auroc.notna().all() and len(auroc) > 1
    if architecture in PAPER:  # the others have learned positions, or no template to end a prompt
        assert auroc["prompt_end"] == 0.5
