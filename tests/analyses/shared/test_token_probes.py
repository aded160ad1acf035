"""Probes along the response, on a model whose labels stand in the prompt, and nowhere else."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from if_circuits.activations.captured import CapturedActivations
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.shared.probing import study_folds
from if_circuits.analyses.shared.token_probes import HELD_OUT, fit_token_probes
from if_circuits.analyses.shared.word_probe import fit_word_probe
from if_circuits.models.loading import LoadedModel
from tests.analyses.word_study import word_study

SETTINGS = AnalysisSettings(n_folds=4, seed=3)


@pytest.fixture
def source(llama: LoadedModel, tmp_path: Path) -> CapturedActivations:
    return word_study(llama, tmp_path / "study")


def test_probe_and_words_read_what_the_prompt_says(source: CapturedActivations):
    found = fit_token_probes(source, SETTINGS)
    assert (found.tasks, found.left_out) == (("topic",), {})
    assert found.aurocs["topic", None] == 1.0
    assert found.aurocs["topic", found.layers[-1]] > 0.8
    row = source.responses.iloc[0]
    along = found.read_words(row["prompt_tokens"], row["response_tokens"][:2])["topic"]
    assert len(along) == 3
    assert ((along > 0.5) == (row["verdict"] == "satisfied")).all()


def test_held_out_base_queries_fit_nothing(source: CapturedActivations):
    """Their labels can be anything: the probes stay as they are."""
    queries = np.array(source.base_queries)
    away = set(queries[study_folds(source.base_queries, SETTINGS) == HELD_OUT])
    found = fit_token_probes(source, SETTINGS)
    assert found.held_out == away
    rows = source.responses
    other = rows["verdict"].map({"satisfied": "violated", "violated": "satisfied"})
    flipped = rows.assign(verdict=rows["verdict"].where(~rows["base_query"].isin(list(away)), other))
    again = fit_token_probes(CapturedActivations(flipped, source.store), SETTINGS)
    layer = found.layers[-1]
    assert np.array_equal(found.probes["topic", layer].weight, again.probes["topic", layer].weight)
    assert again.aurocs["topic", None] == 0.0


def test_calibration_counts_held_out_readings(source: CapturedActivations):
    found = fit_token_probes(source, SETTINGS)
    words = found.calibration[found.calibration["layer"].isna()]
    held = source.responses["base_query"].isin(list(found.held_out)).sum()
    positions = 7
    assert words["n"].sum() == held * positions
    assert words["share_satisfied"].iloc[0] == 0.0
    assert words["share_satisfied"].iloc[-1] == 1.0
    # Wilson's interval of 0 in 10 base queries: 0 to 0.278. Seven readings of each count once.
    assert len(found.held_out) == 10
    low, high = words[["low", "high"]].iloc[0]
    assert (low, high) == (pytest.approx(0.0, abs=1e-9), pytest.approx(0.278, abs=5e-4))


def test_a_task_with_too_few_labels_is_left_out_with_the_reason(source: CapturedActivations):
    rows = source.responses.assign(verdict="satisfied")
    found = fit_token_probes(CapturedActivations(rows, source.store), SETTINGS)
    assert found.tasks == ()
    assert "0 violated" in found.left_out["topic"]
    assert isinstance(found.calibration, pd.DataFrame)


def test_fewer_base_queries_than_folds_fit_nothing(source: CapturedActivations):
    found = fit_token_probes(source, AnalysisSettings(n_folds=1000))
    assert "fewer than the 1000 folds" in found.left_out["topic"]


def test_words_that_occur_once_are_not_learned():
    probe = fit_word_probe([[1], [1], [1], [9]], [[2], [3], [2], [3]], np.array([True, False, True, False]))
    assert probe.prompt_vocabulary.tolist() == [1]
    assert probe.response_vocabulary.tolist() == [2, 3]
    first, second = probe.read_along([1], [2, 2])[[0, -1]]
    assert second > first
