"""Token ids: those of the vocabulary, those that end a response, and the one that pads."""

from __future__ import annotations

from typing import Any

from if_circuits.doctor.base import Check
from if_circuits.models.loading import LoadedModel

_ANSWER = "The river is long."


def check_vocabulary(model: LoadedModel) -> Check:
    """Whether the model has an embedding for every id of its tokenizer."""
    rows = n_embeddings(model)
    highest = max(model.chat.tokenizer.get_vocab().values())
    if highest >= rows:
        return Check(
            "vocabulary",
            "fail",
            f"the tokenizer has ids up to {highest}, the model {rows} embeddings: they do not belong "
            "together; use the tokenizer that the model was trained with",
        )
    spare = rows - highest - 1
    return Check("vocabulary", "pass", f"{rows} embeddings; {spare} of them have no token in the tokenizer")


def check_eos(model: LoadedModel) -> Check:
    """Whether a response can end, and whether the template's own end of a turn ends it."""
    ids = model.chat.eos_ids
    if not ids:
        return Check(
            "eos",
            "fail",
            "no EOS id, so that no response ends and none has an `eos` position; set eos_token_id in "
            "generation_config.json",
        )
    strangers = [i for i in ids if not 0 <= i < n_embeddings(model)]
    if strangers:
        return Check(
            "eos",
            "fail",
            f"EOS id {strangers[0]} is no token of the model; correct eos_token_id in generation_config.json",
        )
    named = ", ".join(f"{model.chat.tokenizer.convert_ids_to_tokens(i)!r} ({i})" for i in ids)
    end = _end_of_turn(model)
    if end is not None and end not in ids:
        return Check(
            "eos",
            "warn",
            f"EOS is {named}, but the template ends the model's turn with "
            f"{model.chat.tokenizer.convert_ids_to_tokens(end)!r} ({end}); if responses run on, add {end} to "
            "eos_token_id in generation_config.json",
        )
    return Check("eos", "pass", named)


def check_pad(model: LoadedModel) -> Check:
    """Which id pads a batch."""
    pad = model.chat.pad_id
    if not 0 <= pad < n_embeddings(model):
        return Check(
            "pad",
            "fail",
            f"padding id {pad} is no token of the model; correct pad_token in tokenizer_config.json",
        )
    note = ""
    if model.chat.tokenizer.pad_token_id is None:
        note = "; the tokenizer names none, so this one serves"
    elif pad in model.chat.eos_ids:
        note = "; also an EOS, which does no harm, since padding is masked"
    return Check("pad", "pass", f"{model.chat.tokenizer.convert_ids_to_tokens(pad)!r} ({pad}){note}")


def n_embeddings(model: LoadedModel) -> int:
    """Rows of the model's input embedding."""
    embedding: Any = model.hf.get_input_embeddings()
    return int(embedding.weight.shape[0])


def _end_of_turn(model: LoadedModel) -> int | None:
    """The token after the model's words in a rendered conversation; None where the template shows none."""
    tokenizer = model.chat.tokenizer
    if tokenizer.chat_template is None:
        return None
    turns = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": _ANSWER}]
    _, _, rest = str(tokenizer.apply_chat_template(turns, tokenize=False)).partition(_ANSWER)
    ids = tokenizer(rest.strip(), add_special_tokens=False)["input_ids"]
    return int(ids[0]) if ids else None
