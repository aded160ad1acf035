"""What of a text's form tells its register and never reaches an uncased encoder: features by counting.

Among them are measures of readability (length of words and sentences), of punctuation and capitals, and the
shares of contractions, of persons and of nominal words, after the F-score of Heylighen and Dewaele (1999).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

_WORD = re.compile(r"[A-Za-z']+")
_PERSONS = frozenset(("i", "i'm", "you", "your", "me", "my", "u", "we"))
_NOMINAL = frozenset(("the", "of", "by", "which", "whose", "its"))
_ABSTRACT = re.compile(r"(tion|ment|ance|ence|ity|ism|ness)s?$", re.IGNORECASE)


def surface_features(texts: Sequence[str]) -> Float[np.ndarray, "texts features"]:
    """Shares and counts of each text, in a fixed order."""
    return np.array([_features(text) for text in texts], dtype=np.float64).reshape(len(texts), -1)


def _features(text: str) -> list[float]:
    words = _WORD.findall(text)
    n_words, n_letters = max(1, len(words)), max(1, len(text))
    sentences = max(1, len(re.findall(r"[.!?]+", text)))

    def share(holds: Callable[[str], object]) -> float:
        return sum(bool(holds(word)) for word in words) / n_words

    return [
        sum(map(len, words)) / n_words,
        share(lambda word: len(word) > 6),
        share(lambda word: len(word) > 9),
        math.log1p(len(words) / sentences),
        share(lambda word: "'" in word),
        share(lambda word: word.lower() in _PERSONS),
        text.count("!") / n_words,
        text.count("?") / n_words,
        text.count("..") / n_words,
        share(lambda word: word.isupper() and len(word) > 1),
        share(lambda word: word[:1].isupper()),
        float(text[:1].islower()),
        float(bool(re.search(r"[.!?\"]$", text.strip()))),
        text.count(",") / n_words,
        sum(map(str.isdigit, text)) / n_letters,
        float(bool(re.search(r"[:;]-?[)(DPp]", text))),
        share(lambda word: word.lower() in _NOMINAL),
        len(re.findall(r"(.)\1\1", text)) / n_words,
        share(_ABSTRACT.search),
        share(lambda word: word.lower().endswith("ly")),
        text.count('"') / n_words,
        text.count("(") / n_words,
        text.count("-") / n_words,
        text.count(";") / n_words,
    ]
