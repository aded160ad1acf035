"""Whether probes read more than the words decides the rung of a verdict on probes."""

import pytest

from if_circuits.analyses.shared.beyond_words import TABLE
from if_circuits.analyses.shared.both_labels import COUNTERFACTUAL, NATURAL, of_labels
from tests.analyses.shared.test_both_labels import found

ANALYSES = ("specialist_vs_general", "cross_task_transfer")


@pytest.mark.parametrize("analysis", ANALYSES)
def test_what_no_word_gives_away_is_decodable(analysis: str) -> None:
    result = found(analysis, "separate")
    (row,) = of_labels(result.tables[TABLE], NATURAL).to_dict("records")
    assert row["low"] > 0
    assert row["auroc"] - row["auroc_text"] == pytest.approx(row["difference"])
    assert row["n_base_queries"] == 30
    assert result.evidence.rung == "decodable"


@pytest.mark.parametrize("analysis", ANALYSES)
def test_what_words_give_away_as_well_is_text(analysis: str) -> None:
    result = found(analysis, "surface")
    (row,) = of_labels(result.tables[TABLE], NATURAL).to_dict("records")
    assert row["auroc"] > 0.55
    assert not row["low"] > 0
    assert result.evidence.rung == "text"
    assert any("the words alone" in note for note in result.verdict.notes)


def test_on_counterfactual_labels_words_are_at_chance() -> None:
    both = found("specialist_vs_general", "surface").tables[TABLE]
    (row,) = of_labels(both, COUNTERFACTUAL).to_dict("records")
    assert row["auroc_text"] < 0.55


def test_transfer_between_what_words_give_away_is_no_verdict() -> None:
    words, activations = (found("cross_task_transfer", kind).verdict for kind in ("surface", "separate"))
    assert words.verdict == "inconclusive"
    assert "words may be all that transfers" in words.notes[0]
    assert activations.verdict == "supported"
