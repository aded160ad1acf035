from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from if_circuits.errors import InputError
from if_circuits.models.chat import ChatTokenizer, has_system_role
from if_circuits.models.loading import LoadedModel

BOS = 0


@pytest.fixture
def tokenizer(checkpoint: Callable[[str], Path]) -> Any:
    """A tokenizer of the test's own, to alter at will."""
    return PreTrainedTokenizerFast.from_pretrained(checkpoint("llama"))


def chat_with(tokenizer: Any, *, template: str | None, system_role: bool = True) -> ChatTokenizer:
    tokenizer.chat_template = template
    return ChatTokenizer(tokenizer=tokenizer, eos_ids=(1, 2), pad_id=3, system_role=system_role)


def adds_bos(tokenizer: Any) -> Any:
    from tokenizers.processors import TemplateProcessing

    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<bos> $A", pair="<bos> $A $B", special_tokens=[("<bos>", BOS)]
    )
    return tokenizer


def test_a_prompt_is_one_user_turn_and_the_opening_of_the_models_own(llama: LoadedModel) -> None:
    assert llama.chat.render("Hello.") == "<bos><user>Hello.<eot><model>"
    (row,) = llama.chat.encode(["Hello."])
    assert row == llama.chat.tokenizer.convert_tokens_to_ids(["<bos>", "<user>"]) + row[2:-2] + [2, 5]
    assert llama.chat.decode(row) == "Hello."


@pytest.mark.parametrize(
    ("architecture", "bos"),
    [("llama", BOS), ("qwen2", None), ("gemma2", BOS), ("gpt2", 1), ("gpt_neox", 1), ("gpt_neo", None)],
)
def test_a_prompt_opens_with_one_bos_unless_neither_template_nor_tokenizer_writes_one(
    load: Callable[[str], LoadedModel], architecture: str, bos: int | None
) -> None:
    for row in load(architecture).chat.encode(["Hello.", "Write about the river."]):
        assert row.count(0) + row.count(1) == (0 if bos is None else 1)
        assert row[0] == bos or bos is None


@pytest.mark.parametrize("template", ["{{ bos_token }}{{ bos_token }}", "{{ bos_token }}", ""])
def test_exactly_one_bos_whatever_the_template_of_a_tokenizer_that_adds_one(
    tokenizer: Any, template: str
) -> None:
    chat = chat_with(adds_bos(tokenizer), template=template + "{{ messages[0]['content'] }}")
    (row,) = chat.encode(["Hello."])
    assert row[0] == BOS
    assert row.count(BOS) == 1


def test_a_template_without_bos_is_left_so_where_the_tokenizer_adds_none(tokenizer: Any) -> None:
    chat = chat_with(tokenizer, template="{{ messages[0]['content'] }}")
    assert BOS not in chat.encode(["Hello."])[0]


def test_a_base_model_reads_the_plain_text_after_one_bos(tokenizer: Any) -> None:
    chat = chat_with(tokenizer, template=None)
    assert chat.render("Hello.") == "Hello."
    assert chat.encode(["Hello."]) == [[BOS, *tokenizer("Hello.", add_special_tokens=False)["input_ids"]]]


def test_system_text_opens_the_users_turn_where_there_is_no_system_role(
    load: Callable[[str], LoadedModel],
) -> None:
    assert (
        load("llama")
        .chat.render("Hello.", system="Be brief.")
        .startswith("<bos><system>Be brief.<eot><user>")
    )
    assert load("gemma2").chat.render("Hello.", system="Be brief.") == (
        "<bos><user>Be brief.\n\nHello.<eot><model>"
    )


def test_a_template_that_drops_or_refuses_the_system_turn_has_no_system_role(tokenizer: Any) -> None:
    for template, expected in {
        "{% for m in messages %}{{ m['content'] }}{% endfor %}": True,
        "{% for m in messages if m['role'] == 'user' %}{{ m['content'] }}{% endfor %}": False,
        "{{ raise_exception('no') }}": False,
    }.items():
        tokenizer.chat_template = template
        assert has_system_role(tokenizer) is expected


def test_a_template_that_fails_on_a_users_turn_is_named(tokenizer: Any) -> None:
    chat = chat_with(tokenizer, template="{{ raise_exception('not today') }}")
    with pytest.raises(InputError, match="chat template fails.*not today"):
        chat.encode(["Hello."])


def test_an_empty_prompt_without_bos_is_refused(load: Callable[[str], LoadedModel]) -> None:
    qwen2 = load("qwen2").chat
    bare = replace(
        qwen2, tokenizer=PreTrainedTokenizerFast(tokenizer_object=qwen2.tokenizer.backend_tokenizer)
    )
    with pytest.raises(InputError, match="no tokens"):
        bare.encode(["fine", ""])
