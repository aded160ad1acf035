"""Hugging Face classifiers as judges: a tiny checkpoint that the test writes, in a local directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from if_circuits.errors import InputError
from if_circuits.study import StudyConfig
from if_circuits.tasks.judges.choice import DEFAULT_JUDGES, choose_judges
from if_circuits.tasks.judges.hugging_face import HuggingFaceJudge
from if_circuits.tasks.verification import check_judges, verify

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "the", "day"]


def save_classifier(directory: Path, labels: list[str], *, problem_type: str | None = None) -> Path:
    """A BERT that says the last label of texts with `good` and the first of texts with `bad`."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    backend = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]")
    )
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=16,
        max_position_embeddings=16,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
        problem_type=problem_type,
    )
    model: Any = BertForSequenceClassification(config)
    texts = ["good", "bad", "the good day", "the bad day", "good day", "bad day"]
    encoded = tokenizer(texts, padding=True, return_tensors="pt")
    truth = torch.tensor([len(labels) - 1, 0] * 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        logits = model(**encoded).logits
        torch.nn.functional.cross_entropy(logits, truth).backward()
        optimizer.step()
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def labels_of(judge: HuggingFaceJudge) -> list[str | None]:
    return [each.label for each in judge.judge(["the good day", "the bad day"])]


def test_labels_of_the_same_name_are_matched_in_any_case(tmp_path: Path):
    judge = HuggingFaceJudge.load(
        f"hf:{save_classifier(tmp_path, ['NEGATIVE', 'POSITIVE'])}", property_name="sentiment"
    )
    assert labels_of(judge) == ["positive", "negative"]
    good, bad = judge.judge(["the good day", "the bad day " * 20])  # the second is longer than the context
    assert 0 <= bad.score < 0.5 < good.score <= 1
    assert judge.judge([]) == []


def test_other_labels_must_be_mapped_and_one_of_two_is_enough(tmp_path: Path):
    plain = f"hf:{save_classifier(tmp_path, ['LABEL_0', 'LABEL_1'])}"
    with pytest.raises(InputError, match="'LABEL_0', 'LABEL_1' cannot be matched.*positive=THEIRS"):
        HuggingFaceJudge.load(plain, property_name="sentiment")
    for mapping in ("positive=LABEL_1", "negative=LABEL_0", "positive=LABEL_1&negative=LABEL_0"):
        judge = HuggingFaceJudge.load(f"{plain}?{mapping}", property_name="sentiment")
        assert labels_of(judge) == ["positive", "negative"]
    for mapping, message in {
        "positive=LABEL_7": "no label 'LABEL_7'",
        "happy=LABEL_1": "'happy' is no label",
        "LABEL_1": "'LABEL_1' is no label",
    }.items():
        with pytest.raises(InputError, match=message):
            HuggingFaceJudge.load(f"{plain}?{mapping}", property_name="sentiment")


def test_several_kinds_of_toxicity_are_yes_or_no_each(tmp_path: Path):
    directory = save_classifier(tmp_path, ["toxic", "threat"], problem_type="multi_label_classification")
    assert labels_of(HuggingFaceJudge.load(f"hf:{directory}", property_name="toxicity")) == ["clean", "toxic"]


def test_a_study_judges_by_the_named_classifier(tmp_path: Path):
    import pandas as pd

    directory = save_classifier(tmp_path, ["negative", "positive"])
    chosen = (("sentiment", f"hf:{directory}"),)
    assert choose_judges(DEFAULT_JUDGES, chosen)["sentiment"].name == f"hf:{directory}"
    rows = pd.DataFrame(
        {
            "task": "sentiment",
            "parameters": json.dumps({"sentiment": "positive"}),
            "response": ["good", "bad"],
        }
    )
    assert verify(rows, chosen=chosen)["verdict"].tolist() == ["satisfied", "violated"]
    config = StudyConfig(model="if-tiny", judges=chosen)
    assert StudyConfig.from_json(config.to_json()) == config
    assert config.differences(StudyConfig(model="if-tiny"))


@pytest.mark.parametrize(
    ("tasks", "chosen", "message"),
    [
        (["sentiment"], [("sentiment", "hf:/no/such/folder")], "hf:/no/such/folder cannot be loaded"),
        (["sentiment"], [("sentiment", "hf:")], "names no classifier"),
        (["sentiment"], [("sentiment", "oracle")], "unknown judge 'oracle'; expected one of"),
        (["sentiment"], [("mood", "vader")], "'mood'.*expected one of sentiment"),
        (["word_count"], [("sentiment", "vader")], "all are verified exactly"),
        (["sentiment"], [("sentiment", "vader"), ("sentiment", "opinion-terms")], "two judges"),
    ],
    ids=str,
)
def test_a_judge_that_cannot_be_had_is_refused(tasks: list[str], chosen: list[tuple[str, str]], message: str):
    with pytest.raises(InputError, match=message):
        check_judges(tasks, chosen)
