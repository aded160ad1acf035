"""The chat template: does it show the model what the user says, once, after one BOS, and hand it the turn?"""

from __future__ import annotations

from typing import Any

from if_circuits.doctor.base import Check
from if_circuits.models.chat import has_system_role
from if_circuits.models.loading import LoadedModel

_TEXT = "Write a short note about the river."


def check_template(model: LoadedModel) -> Check:
    """Whether there is a template, and whether the user's words come through it."""
    if model.chat.tokenizer.chat_template is None:
        return Check(
            "template",
            "warn",
            "no chat template: prompts are read as plain text after the BOS, and a base model seldom follows "
            "instructions so put; take the instruct version, or add a chat_template.jinja",
        )
    shown = model.chat.render(_TEXT).count(_TEXT)
    if shown != 1:
        return Check(
            "template",
            "fail",
            f"the template shows the user's text {shown} times, not once; correct chat_template.jinja",
        )
    return Check("template", "pass", "shows the user's text once")


def check_bos(model: LoadedModel) -> Check:
    """Whether a prompt opens with exactly one BOS."""
    bos: Any = model.chat.tokenizer.bos_token_id
    if bos is None:
        return Check("bos", "pass", "the tokenizer has no BOS, and prompts get none")
    (row,) = model.chat.encode([_TEXT])
    if row[0] != bos and bos not in row:
        return Check("bos", "pass", "neither template nor tokenizer writes a BOS, and prompts get none")
    if row[0] != bos or row.count(bos) != 1:
        return Check(
            "bos",
            "warn" if bos in model.chat.eos_ids else "fail",
            f"a prompt has {row.count(bos)} BOS tokens and opens with {_token(model, row[0])}, where one at "
            "the start is expected; correct chat_template.jinja",
        )
    return Check("bos", "pass", f"exactly one, {_token(model, bos)}, at the start")


def check_generation_prompt(model: LoadedModel) -> Check:
    """Whether the template opens the model's own turn."""
    if model.chat.tokenizer.chat_template is None:
        return Check("generation_prompt", "warn", "none without a template: the model continues the prompt")
    turn = [{"role": "user", "content": _TEXT}]
    closed = str(model.chat.tokenizer.apply_chat_template(turn, tokenize=False))
    opened = model.chat.render(_TEXT)
    if opened == closed:
        return Check(
            "generation_prompt",
            "warn",
            "add_generation_prompt changes nothing: unless the user's turn ends with a mark that hands over, "
            "the model may go on in the user's name; see that chat_template.jinja opens the model's turn",
        )
    return Check("generation_prompt", "pass", f"the model's turn opens with {opened[len(closed) :]!r}")


def check_system_role(model: LoadedModel) -> Check:
    """Whether the template has a system role, and whether the preset knows."""
    if model.chat.tokenizer.chat_template is None:
        return Check("system_role", "pass", "no roles without a template; system text would open the prompt")
    found = has_system_role(model.chat.tokenizer)
    if found != model.chat.system_role:
        return Check(
            "system_role",
            "warn",
            f"the preset says {model.chat.system_role}, the template {found}; correct the preset",
        )
    detail = "the template shows system text" if found else "none; system text opens the user's turn"
    return Check("system_role", "pass", detail)


def _token(model: LoadedModel, token: int) -> str:
    return f"{model.chat.tokenizer.convert_ids_to_tokens(token)!r} ({token})"
