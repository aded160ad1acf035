"""What a linear head reads of a text: the encoder's layers, and a few counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from if_circuits.tasks.judges.base import Judge
from if_circuits.tasks.judges.encoder import SentenceEncoder
from if_circuits.tasks.judges.lexicons import VaderSentiment
from if_circuits.tasks.judges.surface import surface_features
from if_circuits.tasks.judges.weighted import HostilityTerms, OpinionTerms


def encoded(what: str, texts: Sequence[str], encoder: SentenceEncoder) -> Float[np.ndarray, "texts features"]:
    """All layers side by side, for the head that judges `what`; sentiment is read sentence by sentence."""
    return encoder.layers(texts, by_sentence=what == "sentiment").reshape(len(texts), -1)


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
