"""A classifier of the words so far: what can be said of a response at each token without any activation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import expit

from if_circuits.probes.linear import LinearProbe, fit_linear_probe

_C = 0.1


@dataclass(frozen=True, eq=False)
class WordProbe:
    """Logistic regression on log-counts of the prompt's and the response's tokens, and on the length read."""

    prompt_vocabulary: Int[np.ndarray, " p"]
    """Token ids in rising order."""
    response_vocabulary: Int[np.ndarray, " r"]
    probe: LinearProbe

    def scores(
        self, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]]
    ) -> Float[np.ndarray, " n"]:
        """Decision values in logits, a text a row."""
        return self.probe.scores(
            _features(prompts, responses, self.prompt_vocabulary, self.response_vocabulary)
        )

    def read_along(self, prompt: Sequence[int], response: Sequence[int]) -> Float[np.ndarray, " tokens+1"]:
        """Probability of satisfied before the first token of a response, and after each."""
        prefixes = [response[:n] for n in range(len(response) + 1)]
        return np.asarray(expit(self.scores([prompt] * len(prefixes), prefixes)))


def fit_word_probe(
    prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]], y: Bool[np.ndarray, " texts"]
) -> WordProbe:
    """Fit to responses so far: rounds of the same texts, one under the other, that share the labels y.

    A token that occurs in one row only cannot help on another, and is left out. Raises InputError when a
    class is missing.
    """
    words = _vocabulary(prompts), _vocabulary(responses)
    X = _features(prompts, responses, *words)
    return WordProbe(*words, fit_linear_probe(X, np.tile(y, len(prompts) // len(y)), C=_C, standardise=False))


def _features(
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
    prompt_vocabulary: Int[np.ndarray, " p"],
    response_vocabulary: Int[np.ndarray, " r"],
) -> Float[np.ndarray, "n features"]:
    lengths = np.array([len(text) for text in responses], dtype=np.float64)
    counts = (_log_counts(prompts, prompt_vocabulary), _log_counts(responses, response_vocabulary))
    return np.hstack([*counts, np.log1p(lengths)[:, None]])


def _vocabulary(texts: Sequence[Sequence[int]]) -> Int[np.ndarray, " v"]:
    rows, tokens = _flat(texts)
    distinct = np.unique(np.column_stack([rows, tokens]), axis=0)[:, 1] if len(tokens) else tokens
    found, counts = np.unique(distinct, return_counts=True)
    return found[counts >= 2]


def _log_counts(
    texts: Sequence[Sequence[int]], vocabulary: Int[np.ndarray, " v"]
) -> Float[np.ndarray, "n v"]:
    counts = np.zeros((len(texts), len(vocabulary)))
    rows, tokens = _flat(texts)
    known = np.isin(tokens, vocabulary)
    np.add.at(counts, (rows[known], np.searchsorted(vocabulary, tokens[known])), 1.0)
    return np.log1p(counts)


def _flat(texts: Sequence[Sequence[int]]) -> tuple[Int[np.ndarray, " tokens"], Int[np.ndarray, " tokens"]]:
    """All tokens with the number of their text."""
    rows = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    parts = [np.asarray(text, dtype=np.int64) for text in texts]
    return rows, np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
