"""Terms in running text: words and phrases of a list, found token by token.

A term that ends in `*` stands for every word that begins so; elsewhere `*` is itself, since it masks letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_MARKUP = re.compile(r"<[^<>]*>")
_TOKEN = re.compile(r"\d+/\d+|[\w*']+(?:-[\w*']+)*|[.!?;,]")


@dataclass(frozen=True)
class Hit:
    """A term that stands in a text, from token `start` up to, but not including, token `end`."""

    term: str
    start: int
    end: int


def tokenize(text: str) -> list[str]:
    """Words and marks in lower case; markup separates sentences."""
    return _TOKEN.findall(_MARKUP.sub(" . ", text).replace("’", "'").lower())


class TermFinder:
    """Finds terms in tokens: from left to right, the longest phrase first, none of them overlapping."""

    def __init__(self, terms: Iterable[str]) -> None:
        terms = list(terms)
        self._exact = {term for term in terms if not term.endswith("*")}
        self._prefixes = {term[:-1] for term in terms if term.endswith("*")}
        self._longest = max((len(term.split()) for term in terms), default=0)
        self._shortest_prefix = min(map(len, self._prefixes), default=0)

    def find(self, tokens: Sequence[str]) -> Iterator[Hit]:
        """The terms in the tokens, in order."""
        start = 0
        while start < len(tokens):
            for end in range(min(start + self._longest, len(tokens)), start, -1):
                term = self._term(" ".join(tokens[start:end]), n_words=end - start)
                if term is not None:
                    yield Hit(term, start, end)
                    start = end - 1
                    break
            start += 1

    def _term(self, words: str, *, n_words: int) -> str | None:
        if words in self._exact:
            return words
        if not self._prefixes:
            return None
        for length in range(len(words), self._shortest_prefix - 1, -1):
            beginning = words[:length]
            # `go to*` must not be met by `go` and a second word cut away
            if beginning in self._prefixes and beginning.count(" ") == n_words - 1:
                return f"{beginning}*"
        return None
