"""The report's table of judges: what was measured of them, and the ceiling that it sets in this study."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from if_circuits.analyses.base import AnalysisResult, Verdict
from if_circuits.report.judges import judged_tasks, repeated
from if_circuits.report.page import render_report
from if_circuits.statistics.label_noise import auroc_ceiling
from if_circuits.tasks.judges.heads import asset
from tests.report.test_page import content


def responses(task: str, asked: list[str], verdicts: list[str]) -> pd.DataFrame:
    what = {"register": "register", "sentiment": "sentiment"}.get(task, "")
    parameters = [json.dumps({what: each} if what else {}) for each in asked]
    return pd.DataFrame({"task": task, "constrained": True, "parameters": parameters, "verdict": verdicts})


def test_the_ceiling_follows_from_the_measured_errors_and_what_was_asked():
    known = json.loads(asset("measured.json"))["hostility-terms"]
    rows = responses("toxicity", ["clean"] * 10, ["satisfied"] * 6 + ["violated"] * 3 + ["undecided"])
    (found,) = judged_tasks(rows, {"toxicity": "hostility-terms"})
    # What is asked for is the label of which the judge's specificity is.
    expected = auroc_ceiling(known["specificity"], known["sensitivity"], positives=6 / 9)
    assert found.ceiling == pytest.approx(expected)
    assert 0.5 < found.ceiling < 1
    assert found.agreement == known["auroc"]


def test_labels_that_are_asked_for_alike_mix_the_errors():
    known = json.loads(asset("measured.json"))["opinion-terms"]
    mean = (known["sensitivity"] + known["specificity"]) / 2
    rows = responses(
        "sentiment", ["positive", "negative"] * 4, ["satisfied", "satisfied", "violated", "violated"] * 2
    )
    (found,) = judged_tasks(rows, {"sentiment": "opinion-terms"})
    assert found.ceiling == pytest.approx(auroc_ceiling(mean, mean, positives=0.5))


def test_a_judge_without_a_measurement_is_said_to_have_none_and_exact_tasks_have_no_judge():
    rows = pd.concat(
        [
            responses("register", ["formal"] * 2, ["satisfied", "violated"]),
            responses("word_count", [""] * 2, ["satisfied", "violated"]),
        ]
    )
    (found,) = judged_tasks(rows, {"register": "hf:somebody/classifier"})
    assert found.task == "register"
    assert found.texts == "not measured"
    assert np.isnan(found.ceiling)


def agreed() -> tuple[pd.DataFrame, pd.DataFrame]:
    counts = {"n": 40, "both_satisfied": 20, "both_violated": 13, "satisfied_violated": 5}
    counts |= {"violated_satisfied": 2, "second_undecided": 0, "same_label": 33 / 40, "kappa": 0.641}
    judges = {"task": "topic", "judge": "topic-encoder", "second_judge": "topic-lexicon"}
    verdict = {"analysis": "cross_task_transfer", "verdict": "inconclusive", "effect": 0.52}
    verdict |= {"low": 0.4, "high": 0.64, "p": 0.3, "n": 31, "reason": "too few"}
    return pd.DataFrame([judges | counts]), pd.DataFrame([verdict])


def test_the_report_shows_what_two_judges_agree_on_and_the_verdicts_on_it():
    judges, verdicts = agreed()
    given = content()
    record = {**given.record, "judges": {"topic": "topic-encoder"}}
    page = render_report(replace(given, record=record, agreement=judges, agreed_verdicts=verdicts))
    section = page.partition('<section id="judges">')[2].partition("</section>")[0]
    assert "ceiling of an AUROC here" in section
    for shown in ("topic-lexicon", "82 %", "0.641", "0.520", "[0.400, 0.640]"):
        assert shown in section
    assert "another verdict: too few" in section
    alone = render_report(replace(given, record=record))
    assert "No second judge was asked" in alone
    assert "agreement of two judges" not in alone


def test_an_analysis_that_needs_the_model_is_said_to_be_left_out():
    verdict = Verdict("", "supported", 0.5, (0.4, 0.6), 0.01, 9, "")
    results = {
        name: AnalysisResult(name, pd.DataFrame(), verdict) for name in ("specificity", "localisation")
    }
    table = agreed()[1].assign(analysis="specificity", verdict="supported")
    kept, left_out = repeated(results, table)
    assert kept.kept and kept.after is not None
    assert left_out.after is None and not left_out.kept
    assert repeated(results, None) == []
