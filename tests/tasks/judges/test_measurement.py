"""Measuring a judge: against planted truth, and ours against human labels where those are at hand."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from if_circuits.errors import InputError
from if_circuits.tasks.judges.base import Judge, Judgement
from if_circuits.tasks.judges.choice import default_judges
from if_circuits.tasks.judges.measurement import measure_judge

DATA = Path(__file__).parents[4] / "shared/data"


class ByNumber:
    """Judges texts that are numbers: above 1 is high, below 0 is low, else it cannot tell."""

    name = "by-number"

    def judge(self, texts: Sequence[str]) -> list[Judgement]:
        values = [float(text) for text in texts]
        return [Judgement("high" if v > 1 else "low" if v < 0 else None, v, "") for v in values]


def test_scores_equal_those_of_the_reference():
    rng = np.random.default_rng(0)
    truth = rng.random(300) < 0.4
    values = rng.normal(size=300).round(1) + truth
    labels = ["high" if each else "low" for each in truth]
    score = measure_judge(ByNumber(), [str(v) for v in values], labels, positive="high")
    assert score.auroc == pytest.approx(roc_auc_score(truth, values))
    assert score.undecided == pytest.approx(np.mean((values >= 0) & (values <= 1)))
    assert score.accuracy == pytest.approx(np.mean(np.where(truth, values > 1, values < 0)))
    assert score.auroc_interval[0] < score.auroc < score.auroc_interval[1]


def test_texts_of_a_group_are_resampled_together():
    texts, labels = ["2", "-1", "3", "-2", "-1", "2"] * 10, ["high", "low"] * 30
    alone = measure_judge(ByNumber(), texts, labels, positive="high")
    grouped = measure_judge(
        ByNumber(), texts, labels, positive="high", groups=[i % 6 // 2 for i in range(60)]
    )
    width = alone.auroc_interval[1] - alone.auroc_interval[0]
    assert grouped.auroc_interval[1] - grouped.auroc_interval[0] > 2 * width


def test_labels_that_cannot_be_ranked_are_refused():
    with pytest.raises(InputError, match="expected two"):
        measure_judge(ByNumber(), ["1", "2"], ["high", "high"], positive="high")
    with pytest.raises(InputError, match="equally many"):
        measure_judge(ByNumber(), ["1"], ["high", "low"], positive="high")


def rows_of(path: Path, delimiter: str) -> list[dict[str, str]]:
    if not path.exists():
        pytest.skip("needs human-labelled texts, which are not part of the project")
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def default(name: str) -> Judge:
    return default_judges()[name]


def test_sentiment_on_film_reviews_and_their_rewrites():
    rows = rows_of(DATA / "cad_sentiment/dev_paired.tsv", "\t")
    score = measure_judge(
        default("sentiment"),
        [row["Text"] for row in rows],
        [row["Sentiment"].lower() for row in rows],
        positive="positive",
        groups=[row["batch_id"] for row in rows],
    )
    assert score.n == 490
    assert score.auroc_interval[0] > 0.90
    assert score.accuracy > 0.84
    assert score.undecided < 0.07


def test_toxicity_on_social_media_comments():
    rows = rows_of(DATA / "surge_toxicity/toxicity_en_half.csv", ",")
    score = measure_judge(
        default("toxicity"),
        [row["text"] for row in rows],
        ["toxic" if row["is_toxic"] == "Toxic" else "clean" for row in rows],
        positive="toxic",
    )
    assert score.n == 500
    assert score.auroc > 0.90
    assert score.accuracy > 0.80
