"""What a linear head reads of a text: the encoder's layers, averaged over sentences, and a few counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from if_circuits.tasks.judges.base import Judge
from if_circuits.tasks.judges.encoder import SentenceEncoder
from if_circuits.tasks.judges.lexicons import VaderSentiment
from if_circuits.tasks.judges.surface import surface_features
from if_circuits.tasks.judges.weighted import HostilityTerms, OpinionTerms

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


def sentences_of(text: str) -> list[str]:
    """The sentences of a text, at least one."""
    return [sentence for sentence in _SENTENCE_END.split(text) if sentence.strip()] or [text]


def encoded(texts: Sequence[str], encoder: SentenceEncoder) -> Float[np.ndarray, "texts features"]:
    """All layers side by side, averaged over a text's sentences: long texts are read like short ones."""
    sentences = [sentences_of(text) for text in texts]
    flat = encoder.layers([sentence for of_text in sentences for sentence in of_text])
    rows = flat.reshape(len(flat), int(np.prod(flat.shape[1:])))
    stops = np.cumsum([len(of_text) for of_text in sentences], dtype=np.int64)
    return np.stack([rows[stop - len(of_text) : stop].mean(0) for stop, of_text in zip(stops, sentences)])


def counted(what: str, texts: Sequence[str]) -> Float[np.ndarray, "texts features"]:
    """What is counted of a text for the head that judges `what`."""
    return _COUNTED[what](texts)


def _of_toxicity(texts: Sequence[str]) -> Float[np.ndarray, "texts features"]:
    form = [[sum(map(str.isupper, text)) / max(1, len(text)), float(text.count("!"))] for text in texts]
    return np.column_stack([*(_scores(judge, texts) for judge in (HostilityTerms(), VaderSentiment())), form])


def _of_sentiment(texts: Sequence[str]) -> Float[np.ndarray, "texts features"]:
    return np.column_stack([_scores(judge, texts) for judge in (OpinionTerms(), VaderSentiment())])


def _scores(judge: Judge, texts: Sequence[str]) -> list[float]:
    return [judgement.score for judgement in judge.judge(texts)]


_COUNTED: Mapping[str, Callable[[Sequence[str]], Float[np.ndarray, "texts features"]]] = {
    "register": surface_features,
    "toxicity": _of_toxicity,
    "sentiment": _of_sentiment,
}
