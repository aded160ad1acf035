"""The report's table of judges: what was measured of them, and the ceiling that it sets in this study."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from if_circuits.report.judges import judged_tasks
from if_circuits.statistics.label_noise import auroc_ceiling
from if_circuits.tasks.judges.heads import asset


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
