"""What is read of a sample, with the model and without, on a study whose labels stand in the prompt."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from if_circuits.activations.captured import CapturedActivations
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.models.loading import LoadedModel
from if_circuits.report.along import reading_columns
from if_circuits.study.readings import PER_TASK, read_sample, read_stored
from tests.analyses.word_study import word_study

SETTINGS = AnalysisSettings(n_folds=4)


@pytest.fixture
def source(llama: LoadedModel, tmp_path: Path) -> CapturedActivations:
    found = word_study(llama, tmp_path / "study")
    responses = found.responses.assign(
        response=[llama.chat.decode(list(ids)[:2]) for ids in found.responses["response_tokens"]]
    )
    return CapturedActivations(responses, found.store)


def test_every_token_is_read_by_every_probe(source: CapturedActivations, llama: LoadedModel):
    found = read_sample(source, SETTINGS, llama)
    names = found.table["response_id"].unique().tolist()
    responses = source.responses.set_index("response_id")
    assert sorted(responses.loc[names, "verdict"]) == ["satisfied"] * 2 + ["violated"] * 2
    assert len(names) == PER_TASK
    for name, own in found.tokens.groupby("response_id"):
        assert own["token"].tolist() == [0, 1, 2]
        assert "".join(own["text_token"]) == responses.loc[name, "response"]
    counts = found.table.groupby(["response_id", found.table["layer"].fillna(-9)]).size()
    assert (counts == 3).all()
    assert len(counts) == PER_TASK * (len(source.layers) + 1)


def test_the_stored_positions_are_read_as_the_pass_reads_them(
    source: CapturedActivations, llama: LoadedModel
):
    passed, stored = read_sample(source, SETTINGS, llama), read_stored(source, SETTINGS)
    keys = ["response_id", "train_task", "layer", "token"]
    both = stored.table.merge(passed.table, on=keys, suffixes=("", "_passed"))
    assert len(both) == len(stored.table) == len(passed.table)  # two tokens: each is at some position
    assert np.allclose(both["reading"], both["reading_passed"], atol=1e-5)
    assert stored.tokens["text_token"].tolist()[:3] == ["prompt_end", "10%", "60%"]
    assert (passed.every_token, stored.every_token) == (True, False)


def test_the_page_has_them_by_task_and_layer(source: CapturedActivations):
    data = reading_columns(read_stored(source, SETTINGS))
    assert data["tasks"] == ["topic"]
    assert data["layers"] == list(source.layers)
    (first, *_) = data["along"].values()
    assert set(first["along"]) == {"topic words", *(f"topic {layer}" for layer in source.layers)}
    assert all(len(values) == len(first["tokens"]) for values in first["along"].values())
    assert data["aurocs"]["topic words"] == 1


def test_a_study_without_probes_has_no_readings(source: CapturedActivations):
    rows = source.responses.assign(verdict="satisfied")
    found = read_stored(CapturedActivations(rows, source.store), SETTINGS)
    assert found.table.empty
    assert found.probes["reason"].str.contains("0 violated").all()
    assert reading_columns(found)["along"] == {}
    assert isinstance(found.tokens, pd.DataFrame)
