"""From a prompt to the token ids that a chat model expects, and back.

The template is rendered to text and tokenized without added special tokens, because most templates write
the BOS themselves and a tokenizer that adds its own makes two. Whatever the template does, a prompt
begins with exactly one BOS where the model knows one. Without a template (a base model) a prompt is its
plain text after the BOS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from if_circuits.errors import InputError
from if_circuits.models.thinking import Thinking, answer_start

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, eq=False)
class ChatTokenizer:
    """A tokenizer together with its chat template and its special ids."""

    tokenizer: PreTrainedTokenizerBase
    """As its files describe it; TransformerLens works on a copy that it alters."""
    eos_ids: tuple[int, ...]
    """Every id that ends a response."""
    pad_id: int
    """Fills the left of a batch; always masked, so it may equal an EOS."""
    system_role: bool
    """Whether the template has a system role."""
    thinking: Thinking = field(default_factory=Thinking)
    """How thinking is kept out of responses."""

    def render(self, prompt: str, *, system: str | None = None, opened: bool = True) -> str:
        """The text that the model reads: one user turn (after a system turn) and the opening of its own,
        unless `opened` is False.

        Where the template has no system role, the system text opens the user's turn. Thinking is switched off
        where the template offers that.
        """
        if self.thinking.system:
            system = self.thinking.system if system is None else f"{self.thinking.system}\n{system}"
        if system is not None and not self.system_role:
            prompt, system = f"{system}\n\n{prompt}", None
        if self.tokenizer.chat_template is None:
            return prompt
        turns = [] if system is None else [{"role": "system", "content": system}]
        turns.append({"role": "user", "content": prompt})
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    turns, tokenize=False, add_generation_prompt=opened, **self.thinking.variables
                )
            )
        except Exception as error:  # templates are programs, and raise what they like
            raise InputError(
                f"the model's chat template fails on a user's turn ({type(error).__name__}: {error}); "
                "correct its chat_template.jinja"
            ) from error

    def encode(self, prompts: Sequence[str], *, system: str | None = None) -> list[list[int]]:
        """The ids of each prompt, as rendered, with exactly one BOS where the model knows one.

        Raises InputError for a prompt of no tokens at all.
        """
        if not prompts:
            return []
        texts = [self.render(prompt, system=system) for prompt in prompts]
        encoded: Any = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        rows = [self._with_one_bos(row) for row in encoded]
        empty = next((prompt for prompt, row in zip(prompts, rows, strict=True) if not row), None)
        if empty is not None:
            raise InputError(
                f"prompt {empty!r} has no tokens: this model has no BOS, so a prompt needs some text"
            )
        return rows

    def decode(self, ids: Sequence[int]) -> str:
        """The text of the ids, special tokens left out."""
        return str(
            self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The text in the pieces that the ids add to it, one by one."""
        texts = [self.decode(ids[:n]) for n in range(len(ids) + 1)]
        return [longer[len(shorter) :] for shorter, longer in zip(texts, texts[1:], strict=False)]

    def n_thinking(self, prompt_ids: Sequence[int], ids: Sequence[int]) -> int:
        """How many of the generated `ids` are thinking, before the answer; all where it never ends."""
        if self.thinking.kind != "first" or not ids:
            return 0
        start = answer_start(self._raw(prompt_ids), lambda i: self._raw(ids[:i]), len(ids))
        return len(ids) if start is None else start

    def _raw(self, ids: Sequence[int]) -> str:
        """The text of the ids, special tokens included: the marks of thinking may be such."""
        return str(
            self.tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        )

    def _with_one_bos(self, row: list[int]) -> list[int]:
        bos: Any = self.tokenizer.bos_token_id
        if bos is None:
            return row
        text = next((i for i, token in enumerate(row) if token != bos), len(row))
        if text == 0 and not self._wants_bos(bos):
            return row
        return [bos, *row[text:]]

    def _wants_bos(self, bos: int) -> bool:
        """A template that writes none means it, unless the tokenizer would have added one to plain text."""
        if self.tokenizer.chat_template is None:
            return True
        plain: Any = self.tokenizer("a")["input_ids"]
        return bool(plain and plain[0] == bos)


def has_system_role(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the chat template shows a system turn to the model; True without a template.

    Templates without the role either drop the turn or refuse it.
    """
    if tokenizer.chat_template is None:
        return True
    turns = [{"role": "system", "content": "A-SYSTEM-TURN"}, {"role": "user", "content": "Hello."}]
    try:
        return "A-SYSTEM-TURN" in str(tokenizer.apply_chat_template(turns, tokenize=False))
    except Exception:  # templates are programs, and raise what they like
        return False
