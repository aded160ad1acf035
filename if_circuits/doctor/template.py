"""The chat template: does it show the model what the user says, once, after one BOS, and hand it the turn?"""

from __future__ import annotations

from typing import Any

from if_circuits.doctor.base import Check
from if_circuits.models.chat import has_system_role
from if_circuits.models.loading import LoadedModel
from if_circuits.models.thinking import CLOSING

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
    """Whether a prompt is what the template writes, behind one BOS at most.

    Tokens that the template itself writes are right: ChatML with the BOS `<|im_start|>` opens each turn so.
    """
    bos: Any = model.chat.tokenizer.bos_token_id
    if bos is None:
        return Check("bos", "pass", "the tokenizer has no BOS, and prompts get none")
    (row,) = model.chat.encode([_TEXT])
    written: Any = model.chat.tokenizer(model.chat.render(_TEXT), add_special_tokens=False)["input_ids"]
    named, doubled = _token(model, bos), [bos, bos]
    if row[:2] == doubled:
        return Check("bos", "fail", f"a prompt opens with {named} twice; correct chat_template.jinja")
    if row not in (written, [bos, *written]) and written[:2] != doubled:
        return Check("bos", "fail", "a prompt is not what the template writes; correct the tokenizer's files")
    if bos not in row:
        return Check("bos", "pass", "neither template nor tokenizer writes a BOS, and prompts get none")
    if written[:2] == doubled:
        return Check("bos", "warn", f"the template opens with {named} twice, prompts with one; correct it")
    if row[0] != bos:
        return Check("bos", "pass", f"none at the start; where else {named} stands the template writes it")
    turns = row.count(bos) - 1
    more = f"; the template itself writes it {turns} times more" if turns else ""
    return Check("bos", "pass", f"exactly one, {named}, at the start{more}")


def check_generation_prompt(model: LoadedModel) -> Check:
    """Whether the template opens the model's own turn."""
    if model.chat.tokenizer.chat_template is None:
        return Check("generation_prompt", "warn", "none without a template: the model continues the prompt")
    closed = model.chat.render(_TEXT, opened=False)
    opened = model.chat.render(_TEXT)
    if opened == closed:
        return Check(
            "generation_prompt",
            "warn",
            "add_generation_prompt changes nothing: unless the user's turn ends with a mark that hands over, "
            "the model may go on in the user's name; see that chat_template.jinja opens the model's turn",
        )
    return Check("generation_prompt", "pass", f"the model's turn opens with {opened[len(closed) :]!r}")


def check_thinking(model: LoadedModel) -> Check:
    """Whether the model thinks before it answers, and how that is kept out of its responses."""
    thinking = model.chat.thinking
    if thinking.kind == "none":
        return Check("thinking", "pass", "the template knows of none")
    if thinking.kind == "off":
        told = ", ".join(f"{name}={value}" for name, value in thinking.variables.items())
        return Check(
            "thinking",
            "pass",
            f"switched off through the template ({told or f'system text {thinking.system}'})",
        )
    return Check(
        "thinking",
        "warn",
        f"the template offers no switch: a response begins after {CLOSING}, and positions count from there; "
        "see that --max-new-tokens leaves room for the thinking",
    )


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
