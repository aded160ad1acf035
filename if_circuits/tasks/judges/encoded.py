"""Judges of register, sentiment and toxicity: a linear head on the layers of a sentence encoder.

They need the extra `judges`. A text whose score falls into the head's zone is undecided; the zone was made so
wide that of what is decided nine in ten are right (`fitting`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from if_circuits.tasks.judges.base import Judgement
from if_circuits.tasks.judges.encoder import sentence_encoder
from if_circuits.tasks.judges.features import counted, encoded
from if_circuits.tasks.judges.heads import files_digest, load_head
from if_circuits.tasks.judges.registry import judge


class _EncodedJudge:
    name: ClassVar[str]
    what: ClassVar[str]
    high: ClassVar[str]
    """The label that a large score speaks for."""
    low: ClassVar[str]

    def __init__(self) -> None:
        self._encoder = sentence_encoder()
        self._head = load_head(self.what)

    def judge(self, texts: Sequence[str]) -> list[Judgement]:
        if not texts:
            return []
        features = np.hstack([encoded(self.what, texts, self._encoder), counted(self.what, texts)])
        return [self._judgement(float(score)) for score in self._head.score(features)]

    def files_digest(self) -> str:
        """Digest of the encoder's weights and of the head's."""
        return files_digest(f"{self.what}.safetensors", f"{self.what}.json")

    def _judgement(self, score: float) -> Judgement:
        label = {1: self.high, -1: self.low, 0: None}[self._head.zone.side(score)]
        return Judgement(label, score, f"{self.what} score {score:+.2f}")


@judge("register-encoder")
class RegisterEncoder(_EncodedJudge):
    """How formal people would call a text, from 0 to 1; fitted to sentences with human scores."""

    name, what, high, low = "register-encoder", "register", "formal", "informal"


@judge("sentiment-encoder")
class SentimentEncoder(_EncodedJudge):
    """Positive or negative; fitted to film reviews and their rewrites, beside `opinion-terms` and VADER."""

    name, what, high, low = "sentiment-encoder", "sentiment", "positive", "negative"


@judge("toxicity-encoder")
class ToxicityEncoder(_EncodedJudge):
    """Toxic or clean; fitted to social-media comments, beside `hostility-terms` and VADER."""

    name, what, high, low = "toxicity-encoder", "toxicity", "toxic", "clean"
