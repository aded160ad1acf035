"""The control distribution of a cell: the same scores, with labels that base queries exchanged."""

import numpy as np
import pandas as pd

from if_circuits.analyses.base import AnalysisResult, Verdict
from if_circuits.report.nulls import Null, exchanged

VERDICT = Verdict("a claim", "supported", 0.1, (0.0, 0.2), 0.01, 100, "a rule")


def test_scores_that_follow_the_labels_do_not_follow_exchanged_ones():
    rng = np.random.default_rng(0)
    n = 200
    y = rng.random(n) < 0.5
    names = [f"r{i}" for i in range(n)]
    rows = pd.DataFrame(
        {"response_id": names, "base_query": [f"q{i // 2}" for i in range(n)],
         "verdict": np.where(y, "satisfied", "violated")}
    )  # fmt: skip
    scores = pd.DataFrame(
        {"labels": "natural", "task": "topic", "train_task": "topic", "response_id": names,
         "fold": np.arange(n) // 2 % 5, "score": y + rng.normal(0, 0.1, n)}
    )  # fmt: skip
    result = AnalysisResult("cross_task_transfer", pd.DataFrame(), VERDICT, {"scores": scores})
    (control,) = exchanged({"cross_task_transfer": result}, rows).of(
        "cross_task_transfer", "natural", "topic", "topic"
    )
    assert abs(control["mean"] - 0.5) < 0.03
    assert 0.02 < control["sd"] < 0.08


def test_labels_of_counterfactual_pairs_change_places():
    rng = np.random.default_rng(0)
    n = 400
    names, y = [f"r{i}" for i in range(n)], np.arange(n) % 2 == 0
    queries = [f"q{i // 2}" for i in range(n)]
    rows = pd.DataFrame(
        {"response_id": names, "base_query": queries, "verdict": np.where(y, "satisfied", "violated")}
    )
    scores = pd.DataFrame(
        {"labels": "counterfactual", "task": "topic", "train_task": "topic", "response_id": names,
         "fold": np.arange(n) // 2 % 5, "score": y + rng.normal(0, 0.1, n)}
    )  # fmt: skip
    result = AnalysisResult("cross_task_transfer", pd.DataFrame(), VERDICT, {"scores": scores})
    found = exchanged({"cross_task_transfer": result}, rows)
    (control,) = found.of("cross_task_transfer", "counterfactual", "topic", "topic")
    assert control["name"] == "labels of pairs exchanged"
    # Exchanged between base queries they would stay as they are, and the control would be 1.
    assert abs(control["mean"] - 0.5) < 0.03
    assert 0.02 < control["sd"] < 0.1


def test_a_study_without_scores_has_no_control_distribution():
    assert exchanged({}, pd.DataFrame(columns=["response_id", "base_query", "verdict"])) == Null()
    assert Null().of("cross_task_transfer", "natural", "a", "b") == []
