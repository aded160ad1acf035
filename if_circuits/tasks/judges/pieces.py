"""What the encoder reads at a time: a text's sentences, of which short ones may stand together.

So long texts are read like the short ones that heads are fitted to, and "No. Never!" need not stand alone.
"""

from __future__ import annotations

import re

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_FEWEST_WORDS = 8
"""A piece with fewer takes in the sentence after it, or, as the last, goes to the one before."""


def sentences_of(text: str) -> list[str]:
    """The sentences of a text, at least one."""
    return [sentence for sentence in _SENTENCE_END.split(text) if sentence.strip()] or [text]


def pieces_of(text: str) -> list[str]:
    """The sentences of a text, short ones joined with their neighbours.

    Example:
        >>> pieces_of("No. Never! It was the best evening that we have had for years. Truly.")
        ['No. Never! It was the best evening that we have had for years. Truly.']
    """
    pieces: list[str] = []
    for sentence in sentences_of(text):
        if pieces and _is_short(pieces[-1]):
            pieces[-1] = f"{pieces[-1]} {sentence}"
        else:
            pieces.append(sentence)
    if len(pieces) > 1 and _is_short(pieces[-1]):
        last = pieces.pop()
        pieces[-1] = f"{pieces[-1]} {last}"
    return pieces


def _is_short(piece: str) -> bool:
    return len(piece.split()) < _FEWEST_WORDS
