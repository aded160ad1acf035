"""Models that think before they answer: how their thinking is kept out of their responses.

Where the chat template offers a switch, thinking is switched off. Where it offers none, the response begins
behind the mark that ends the thinking, and what stands before counts as part of the prompt.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

OPENING, CLOSING = "<think>", "</think>"
SWITCH = "enable_thinking"
"""The variable by which templates such as Qwen3's are told."""
REQUEST = "/no_think"
"""The system text by which templates such as SmolLM3's are told."""

_TURN = [{"role": "user", "content": "Hello."}]


@dataclass(frozen=True)
class Thinking:
    """What a model's chat template does about thinking."""

    kind: Literal["none", "off", "first"] = "none"
    """`none`: the template knows of none. `off`: it is switched off. `first`: the model thinks first."""
    variables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the template is given with every prompt."""
    system: str = ""
    """What the system text opens with."""


def find_thinking(tokenizer: PreTrainedTokenizerBase) -> Thinking:
    """How thinking is kept out of the responses of the model with that chat template."""
    text = str(tokenizer.chat_template or "")
    try:
        if SWITCH in text and _rendered(tokenizer, enable_thinking=False) != _rendered(
            tokenizer, enable_thinking=True
        ):
            return Thinking("off", variables={SWITCH: False})
        if REQUEST in text:
            return Thinking("off", system=REQUEST)
        if OPENING not in text and CLOSING not in text:
            return Thinking()
        prompt = _rendered(tokenizer)
    except Exception:  # templates are programs, and raise what they like: `render` says so where it matters
        return Thinking()
    # A template may close the thinking before it has begun.
    return Thinking() if _closed(prompt) else Thinking("first")


def answer_start(prompt: str, text_of: Callable[[int], str], n: int) -> int | None:
    """How many of n generated tokens stand before the answer; `text_of(i)` is the text of the first i.

    The answer begins with the first token behind `</think>` that is more than white space. 0 where the model
    did not think; None where its thinking does not end.
    """
    whole = text_of(n)
    end = whole.find(CLOSING)
    if end < 0:
        return None if not _closed(prompt) and _opened(prompt, whole) else 0
    end += len(CLOSING)
    start = bisect_left(range(n + 1), end, key=lambda i: len(text_of(i)))
    while start < n and not text_of(start + 1)[end:].strip():
        start += 1
    return start


def _opened(prompt: str, response: str) -> bool:
    return OPENING in prompt or response.lstrip().startswith(OPENING)


def _closed(prompt: str) -> bool:
    return prompt.rfind(CLOSING) > prompt.rfind(OPENING)


def _rendered(tokenizer: PreTrainedTokenizerBase, **variables: Any) -> str:
    return str(tokenizer.apply_chat_template(_TURN, tokenize=False, add_generation_prompt=True, **variables))
