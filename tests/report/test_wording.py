from if_circuits.analyses.base import ANALYSES
from if_circuits.report.wording import WORDINGS, wording


def test_every_analysis_has_its_words():
    assert tuple(WORDINGS) == ANALYSES
    assert all(words.title and words.question and words.reading for words in WORDINGS.values())


def test_another_analysis_goes_by_its_name():
    assert wording("head_pruning").title == "head pruning"
