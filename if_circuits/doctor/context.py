"""The context: is there room for the study's prompts and for an answer?"""

from __future__ import annotations

from if_circuits.doctor.base import Check
from if_circuits.doctor.probe_prompts import longest_prompt
from if_circuits.models.loading import LoadedModel
from if_circuits.models.settings import RunSettings

SHORTEST_ANSWER = 24
"""Tokens that an answer needs at the very least: the tasks ask for up to some twenty words."""


def check_context(model: LoadedModel) -> Check:
    """Whether the longest prompt leaves room for a response."""
    longest, wanted = longest_prompt(model), RunSettings.of(model.preset).max_new_tokens
    room = model.context_length - longest
    seen = f"the longest prompt has {longest} tokens, the context {model.context_length}"
    if room < SHORTEST_ANSWER:
        return Check(
            "context_length",
            "fail",
            f"{seen}: no room for an answer, so that no study of this model can mean much; choose one with a "
            "longer context",
        )
    if room < wanted:
        return Check(
            "context_length",
            "warn",
            f"{seen}: {wanted} new tokens do not fit; give --max-new-tokens {room} or less",
        )
    return Check("context_length", "pass", f"{seen}; responses have up to {wanted} tokens")
