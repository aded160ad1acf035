from dataclasses import replace

import pandas as pd
import pytest

from if_circuits.analyses.base import AnalysisResult, Verdict
from if_circuits.report.checklist import ChecklistItem, checklist
from if_circuits.report.facts import NOT_DONE, StudyFacts

VERDICT = Verdict("claim", "inconclusive", 0.0, (0.0, 0.0), 1.0, 47, "rule")
RECORD = {
    "model": {"n_layers": 6, "d_model": 128},
    "config": {"layers": None, "settings": {"n_folds": 5, "n_bootstrap": 300, "n_random_subspaces": 20}},
}
RESPONSES = pd.DataFrame(
    {"task": "topic", "base_query": ["a", "a", "b"], "response": ["x", "x", "x"], "temperature": 1.0,
     "constrained": True}
)  # fmt: skip
COMPLIANCE = pd.DataFrame({"task": ["topic"], "greedy": [0.5], "note": ["floor: 3 satisfied"]})
SIMILARITY = pd.DataFrame(
    {"pwcca": [0.1, 0.2], "pwcca_ceiling": [0.4, float("nan")], "components": 8, "paired_queries": 80}
)
PROBES = pd.DataFrame(
    {"probe": ["specialist", "length"], "position": "last", "layer": [-1, None], "auroc": [0.7, 0.6],
     "n_over_d": [3.75, 100.0]}
)  # fmt: skip


def facts(**results: pd.DataFrame) -> StudyFacts:
    found = {name: AnalysisResult(name, table, VERDICT) for name, table in results.items()}
    return StudyFacts(RECORD, RESPONSES, COMPLIANCE, found)


def item(study: StudyFacts, number: int) -> ChecklistItem:
    return checklist(study)[number - 1]


def test_every_item_is_answered_even_by_a_study_without_analyses():
    answers = checklist(facts())
    assert len(answers) == 13
    assert all(answer.sentences for answer in answers)
    assert not answers[0].complete
    assert "specialist vs general was not asked for" in answers[0].sentences[0]


@pytest.mark.parametrize(
    ("number", "study", "expected"),
    [
        (1, facts(specialist_vs_general=PROBES), "3.8 to 3.8 over 1 specialists, 0 of them below 1"),
        (1, facts(specialist_vs_general=PROBES.assign(n_over_d=0.5)), "1 of them below 1"),
        (2, facts(), "Of 3 responses to constrained prompts 1 repeat a text"),
        (2, facts(), "2 texts occur under more than one base query"),
        (3, facts(specialist_vs_general=PROBES), "length 0.600"),
        (3, facts(specialist_vs_general=PROBES), "Specialists at `embed`: 0.700"),
        (4, facts(x=pd.DataFrame({"selectivity": [0.1, 0.3]})), "mean 0.200"),
        (9, facts(), "topic (floor: 3 satisfied)"),
        (10, facts(representational_similarity=SIMILARITY), "8 principal components of 80 base queries"),
        (10, facts(representational_similarity=SIMILARITY), "1 of 2 pairs"),
        (11, facts(x=pd.DataFrame({"p_holm": [0.5, None]})), "Holm over 1 tests in x"),
        (8, replace(facts(), record={**RECORD, "config": {"layers": [-1, 3]}}), "Layers read: embed, 3"),
    ],
)
def test_answers_hold_the_numbers_of_the_study(number: int, study: StudyFacts, expected: str):
    assert expected in " ".join(item(study, number).sentences)


def test_only_natural_labels_are_told():
    both = pd.concat([PROBES.assign(labels="natural"), PROBES.assign(labels="counterfactual", n_over_d=9.0)])
    assert "3.8 to 3.8 over 1" in item(facts(specialist_vs_general=both), 1).sentences[0]


def test_a_calibration_that_is_at_hand_is_told():
    assert NOT_DONE in item(facts(), 13).sentences[0]
    claim = {"false_positive": {"rate": 0.035, "low": 0.02, "high": 0.07, "runs": 200}, "power": []}
    with_one = replace(facts(), calibration={"claims": {"specificity": claim}})
    assert "specificity: 0.035 false positives [0.020, 0.070] in 200 runs" in item(with_one, 13).sentences[0]
