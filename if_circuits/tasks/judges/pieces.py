"""What the encoder reads at a time: a text's sentences, of which short ones stand together.

So long texts are read like the short ones that heads are fitted to, and "No. Never!" does not stand alone.
"""

from __future__ import annotations

import re

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_FEWEST_WORDS = 8
"""A piece with fewer takes in the sentence after it, or, as the last, goes to the one before."""


def pieces_of(text: str) -> list[str]:
    """The pieces of a text, at least one.

    Example:
        >>> pieces_of("No. Never! It was the best evening that we have had for years. Truly.")
        ['No. Never! It was the best evening that we have had for years. Truly.']
    """
    pieces: list[str] = []
    for sentence in _SENTENCE_END.split(text):
        if not sentence.strip():
            continue
        if pieces and _is_short(pieces[-1]):
            pieces[-1] = f"{pieces[-1]} {sentence}"
        else:
            pieces.append(sentence)
    if len(pieces) > 1 and _is_short(pieces[-1]):
        last = pieces.pop()
        pieces[-1] = f"{pieces[-1]} {last}"
    return pieces or [text]


def _is_short(piece: str) -> bool:
    return len(piece.split()) < _FEWEST_WORDS
