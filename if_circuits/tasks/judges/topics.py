"""A judge of any topic that can be named: how close a text stands to the topic's words in a sentence encoder.

A topic is described by words. Those of the lexicon have some thirty each; another topic is described by its
own name, or by the parts of a name such as `cars, driving, fuel`. Nothing is fitted to labelled texts but the
zone of the undecided.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from if_circuits.io.digest import value_sha256
from if_circuits.tasks.judges.base import Judgement, load_lexicon
from if_circuits.tasks.judges.encoder import sentence_encoder
from if_circuits.tasks.judges.heads import Zone, asset, files_digest
from if_circuits.tasks.judges.registry import judge

SHARPNESS, BACKGROUND_SHARPNESS = 20.0, 10.0
"""How much the closest of a topic's words counts before the others; at infinity it counts alone."""
BACKGROUND_SHARE = 0.5
"""What is subtracted: so much of the closeness to topics in general, which short texts have little of."""

OTHER = "another topic"


@judge("topic-encoder")
class TopicEncoder:
    """Whether a text is about a topic: closeness to its words, beside closeness to topics at large."""

    name = "topic-encoder"

    def __init__(self, zone: Zone | None = None) -> None:
        self._encoder = sentence_encoder()
        self._lexicon = cast(dict[str, list[str]], load_lexicon("topics"))
        # Some 170 topics of all kinds.
        self._background = self._encoder.sentences(cast(list[str], load_lexicon("background")))
        self._zone = zone or Zone(**json.loads(asset("topic.json"))["zone"])

    def judge(self, texts: Sequence[str]) -> list[Judgement]:
        """The closest topic of the lexicon; undecided where even that is not close enough."""
        if not texts:
            return []
        topics = list(self._lexicon)
        closeness = self.closeness(texts, [self._lexicon[topic] for topic in topics])
        best = closeness.argmax(axis=1)
        return [
            self._judgement(float(row[index]), topics[index], otherwise=None)
            for row, index in zip(closeness, best, strict=True)
        ]

    def judge_asked(self, texts: Sequence[str], parameters: Sequence[Mapping[str, Any]]) -> list[Judgement]:
        """Of each text whether it is about the `topic` of its parameters: that topic, or another."""
        asked = [str(each["topic"]) for each in parameters]
        topics = list(dict.fromkeys(asked))
        if not texts:
            return []
        closeness = self.closeness(texts, [self._words(topic) for topic in topics])
        return [
            self._judgement(float(row[topics.index(topic)]), topic, otherwise=OTHER)
            for row, topic in zip(closeness, asked, strict=True)
        ]

    def closeness(
        self, texts: Sequence[str], topics: Sequence[Sequence[str]]
    ) -> Float[np.ndarray, "texts topics"]:
        """How close each text stands to each topic, which is given by its words."""
        rows = self._encoder.sentences(texts)
        at_large = _soft_maximum(rows @ self._background.T, BACKGROUND_SHARPNESS)
        columns = [
            _soft_maximum(rows @ self._encoder.sentences(words).T, SHARPNESS) - BACKGROUND_SHARE * at_large
            for words in topics
        ]
        return np.stack(columns, axis=1)

    def files_digest(self) -> str:
        """Digest of the encoder's weights, of the zone and of the lexicons."""
        lexicons = json.dumps([load_lexicon("topics"), load_lexicon("background")])
        return value_sha256((files_digest("topic.json"), lexicons))

    def _words(self, topic: str) -> list[str]:
        named = [part.strip() for part in re.split(r",|;| and | or ", topic) if part.strip()]
        return [topic, *named, *self._lexicon.get(topic.lower(), [])]

    def _judgement(self, score: float, topic: str, *, otherwise: str | None) -> Judgement:
        label = {1: topic, 0: None, -1: otherwise}[self._zone.side(score)]
        return Judgement(label, score, f"closeness {score:+.2f} to {topic}")


def _soft_maximum(
    similarities: Float[np.ndarray, "texts words"], sharpness: float
) -> Float[np.ndarray, " texts"]:
    """A mean over words in which the largest counts most."""
    return (logsumexp(sharpness * similarities, axis=1) - np.log(similarities.shape[1])) / sharpness
