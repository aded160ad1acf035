"""Models that think first, on small checkpoints with the templates of real ones."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from if_circuits.activations.plan import plan_capture
from if_circuits.doctor.compliance import check_compliance
from if_circuits.doctor.template import check_generation_prompt, check_thinking
from if_circuits.generation import responses as responses_module
from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.models.chat import ChatTokenizer
from if_circuits.models.loading import LoadedModel, load_model
from if_circuits.models.thinking import find_thinking
from if_circuits.tasks.verification import verify
from tests.models.templates import SPEECHES, save_speaking, tokenizer_of


@pytest.fixture(scope="module")
def r1(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_model(str(save_speaking("r1", tmp_path_factory.mktemp("r1"))))


def chat_of(name: str) -> ChatTokenizer:
    tokenizer = tokenizer_of(name)
    return ChatTokenizer(
        tokenizer, (tokenizer.eos_token_id,), tokenizer.pad_token_id, True, find_thinking(tokenizer)
    )


@pytest.mark.parametrize("name", SPEECHES)
def test_what_a_template_does_about_thinking_is_found(name: str) -> None:
    expected = {"qwen-3": "off", "smollm-3": "off", "r1": "first"}
    assert chat_of(name).thinking.kind == expected.get(name, "none")


@pytest.mark.parametrize("name", ["qwen-3", "smollm-3"])
@pytest.mark.parametrize("system", [None, "Be brief."])
def test_thinking_is_switched_off_where_the_template_offers_it(name: str, system: str | None) -> None:
    chat = chat_of(name)
    text = chat.render("Hello.", system=system)
    assert text.rstrip().endswith("<think>\n\n</think>")
    assert "/no_think" not in text.replace("Reasoning Mode: /no_think", "")
    assert (system or "Hello.") in text
    # An answer is an answer from its first token on.
    answer = chat.tokenizer("A quiet song.", add_special_tokens=False)["input_ids"]
    assert chat.n_thinking(chat.encode(["Hello."])[0], answer) == 0


@pytest.mark.parametrize(
    ("thought", "answer"),
    [
        ("the river is long", "A quiet song."),
        ("the river", " A quiet song."),
        ("", "A"),
        ("one </thi two", "The band played </think> again."),
    ],
)
def test_the_answer_begins_behind_the_thinking(thought: str, answer: str) -> None:
    chat = chat_of("r1")
    (prompt,) = chat.encode(["Hello."])
    ids = chat.tokenizer(f"{thought}</think>\n\n{answer}", add_special_tokens=False)["input_ids"]
    n = chat.n_thinking(prompt, ids)
    assert chat.tokenizer.decode(ids[n:]) == answer.lstrip()  # a space is a token of its own here
    assert chat.tokenizer.decode(ids[:n]).rstrip() == f"{thought}</think>"


def test_thinking_that_never_ends_leaves_no_answer_and_none_at_all_leaves_everything() -> None:
    chat = chat_of("r1")
    (prompt,) = chat.encode(["Hello."])
    ids = chat.tokenizer("the river is long", add_special_tokens=False)["input_ids"]
    assert chat.n_thinking(prompt, ids) == len(ids)
    # The same template, but a prompt that opens no thinking: only a response that opens one thinks.
    plain = chat.tokenizer("<s><|User|>Hello.<|Assistant|>", add_special_tokens=False)["input_ids"]
    assert chat.n_thinking(plain, ids) == 0
    opened = chat.tokenizer("<think>the river", add_special_tokens=False)["input_ids"]
    assert chat.n_thinking(plain, opened) == len(opened)


def scripted(monkeypatch: pytest.MonkeyPatch, model: LoadedModel, texts: list[str]) -> None:
    """Have the model write these texts in turn, ends included."""
    tokenizer = model.chat.tokenizer
    ids: Any = tokenizer(texts, add_special_tokens=False)["input_ids"]

    def decode(_model: object, _prompts: object, rows: Any, *, on_end: Any, **_: object) -> list[list[int]]:
        for number, i in enumerate(rows):
            on_end(number, list(ids[i]))
        return [list(ids[i]) for i in rows]

    monkeypatch.setattr(responses_module, "decode", decode)


def test_responses_positions_and_verdicts_begin_behind_the_thinking(
    monkeypatch: pytest.MonkeyPatch, r1: LoadedModel
) -> None:
    texts = [
        "the river is river</think>\n\nA quiet song.</s>",
        "the river is long",
        "rain</think>\n\nThe river",
    ]
    scripted(monkeypatch, r1, texts)
    prompts = pd.DataFrame({"prompt_id": ["a", "b", "c"], "prompt": ["Hi a", "Hi b", "Hi c"]})
    prompts = prompts.assign(task="term_exclusion", parameters='{"word": "river"}')
    rows = generate(r1, prompts, GenerationConfig(16, temperature=0.0))
    assert rows["response"].tolist() == ["A quiet song.", "", "The river"]
    assert rows["truncated"].tolist() == [False, True, True]
    assert (rows["n_thinking"] > 0).all()
    for row, text in zip(rows.itertuples(), texts, strict=True):
        written = r1.chat.tokenizer(text, add_special_tokens=False)["input_ids"]
        assert [*row.prompt_tokens[-row.n_thinking :], *row.response_tokens] == written
    # `prompt_end` is the last token before the answer, 10% its first.
    plan = plan_capture(rows)
    assert plan.indices[0, 0] == len(rows["prompt_tokens"][0]) - 1
    assert plan.indices[0, 1] == len(rows["prompt_tokens"][0])
    # The thinking is not judged; a response without an answer says so.
    verified = verify(rows)
    assert verified["verdict"].tolist() == ["satisfied", "violated", "violated"]
    assert "thinking did not end" in verified["reason"][1]


def test_the_doctor_says_which(monkeypatch: pytest.MonkeyPatch, r1: LoadedModel) -> None:
    first = check_thinking(r1)
    assert first.status == "warn" and "begins after </think>" in first.detail
    for name, says in (("qwen-3", "enable_thinking=False"), ("smollm-3", "/no_think")):
        off = check_thinking(replace(r1, chat=chat_of(name)))
        assert off.status == "pass" and says in off.detail
        opened = check_generation_prompt(replace(r1, chat=chat_of(name))).detail
        assert opened.startswith("the model's turn opens with '<|im_start|>assistant")
    assert "knows of none" in check_thinking(replace(r1, chat=chat_of("chatml"))).detail
    monkeypatch.setattr("if_circuits.doctor.compliance.ANSWERS_PER_TASK", 1)
    with torch.no_grad():
        ends = next(iter(check_compliance(r1)))
    assert "have no answer, since their thinking does not end" in ends.detail


def test_a_study_of_it_can_be_answered(r1: LoadedModel, tmp_path: Path) -> None:
    """Rows of a model that thinks go through files as they are."""
    rows = generate(r1, ["Hello."], GenerationConfig(6, temperature=0.0))
    rows.to_parquet(tmp_path / "rows.parquet")
    assert pd.read_parquet(tmp_path / "rows.parquet")["n_thinking"].tolist() == rows["n_thinking"].tolist()
