import numpy as np
import pytest

from if_circuits.analyses.shared.probing import probing_rows
from if_circuits.analyses.shared.score_table import score_table
from if_circuits.analyses.shared.text_baselines import (
    BASELINES,
    baseline_scores,
    text_score,
    texts_of,
    tokens_read,
)
from tests.analyses.planted import SETTINGS, small_study


def test_every_baseline_stands_beside_every_task() -> None:
    source = small_study("surface")
    frame = score_table(baseline_scores(source, probing_rows(source, SETTINGS, "last")), SETTINGS).frame
    assert set(frame["probe"]) == set(BASELINES)
    assert (frame.groupby("task").size() == len(BASELINES)).all()
    means = frame.groupby("probe")["auroc"].mean()
    assert means["majority"] == 0.5
    assert means["text"] > 0.75
    assert means["length"] > 0.55


def test_words_of_a_null_study_tell_nothing() -> None:
    source = small_study("null", n_base_queries=60)
    frame = score_table(baseline_scores(source, probing_rows(source, SETTINGS, "last")), SETTINGS).frame
    assert (frame.groupby("probe")["auroc"].mean() - 0.5).abs().max() < 0.06


def test_no_word_after_the_position_is_read() -> None:
    source = small_study("surface", positions=("prompt_end", "50%", "last"))

    def score_at(position: str) -> float:
        rows = probing_rows(source, SETTINGS, position)
        scores = [text_score(texts) for texts in texts_of(source, rows)]
        return float(score_table(scores, SETTINGS).frame["auroc"].mean())

    start, middle, end = score_at("prompt_end"), score_at("50%"), score_at("last")
    assert abs(start - 0.5) < 0.08
    assert start < middle < end


@pytest.mark.parametrize("position", ["prompt_end", "50%", "last"])
def test_tokens_read_follow_the_position(position: str) -> None:
    source = small_study("null", positions=("prompt_end", "50%", "last"))
    rows = probing_rows(source, SETTINGS, position)
    own = rows.of_task[0]
    n_tokens = source.responses["n_tokens"].to_numpy()[rows.rows[own]]
    expected = {"prompt_end": 0 * n_tokens, "50%": np.ceil(n_tokens / 2), "last": n_tokens}[position]
    np.testing.assert_array_equal(tokens_read(source, rows, own), expected)
