"""Linear models of weighted terms, for sentiment and for toxicity, with VADER's lexicon behind them.

Terms and weights are this project's own, in `lexicons/opinions.json` and `lexicons/hostility.json`. They were
written by hand from general knowledge of English, and fitted to no text.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

from if_circuits.tasks.judges.base import Judgement, load_lexicon
from if_circuits.tasks.judges.registry import judge
from if_circuits.tasks.judges.terms import TermFinder, tokenize

_MARKS = frozenset(".!?;,")


@judge("opinion-terms")
class OpinionTerms:
    """Sentiment: terms of praise and blame, turned around by a negation shortly before them.

    The score goes from -1 to 1: the sum of weights over the sum of their sizes plus 1. Close to 0 is neutral.
    """

    name = "opinion-terms"
    threshold = 0.05

    def __init__(self) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        model = cast(dict[str, Any], load_lexicon("opinions"))
        levels = cast(dict[str, list[str]], model["weights"])
        weight_of = {term: float(weight) for weight, terms in levels.items() for term in terms}
        self._finder = TermFinder(weight_of)
        self._weight_of = weight_of
        # VADER's valences go from -4 to 4.
        scale = float(model["vader_weight"]) / 4
        valences = cast(Mapping[str, float], SentimentIntensityAnalyzer().lexicon)
        self._valence_of = {word: scale * valence for word, valence in valences.items()}
        self._negations = frozenset(cast(list[str], model["negations"]))
        self._reach, self._factor = int(model["negation_reach"]), float(model["negation_factor"])

    def judge(self, texts: Sequence[str]) -> list[Judgement]:
        return [self._judge(text) for text in texts]

    def _judge(self, text: str) -> Judgement:
        weights = list(self._weights(tokenize(text)))
        score = sum(weights) / (sum(map(abs, weights)) + 1)
        label = "neutral" if abs(score) < self.threshold else "positive" if score > 0 else "negative"
        return Judgement(label, score, f"score {score:+.2f} from {len(weights)} terms")

    def _weights(self, tokens: Sequence[str]) -> list[float]:
        own = {hit.start: hit for hit in self._finder.find(tokens)}
        weights: list[float] = []
        covered = 0
        for position, token in enumerate(tokens):
            if position < covered:
                continue
            hit = own.get(position)
            weight = self._weight_of[hit.term] if hit is not None else 0.0
            if hit is not None:
                covered = hit.end
            if hit is None or hit.end == position + 1:
                weight += self._valence_of.get(token, 0.0)
            if weight:
                weights.append(weight * self._factor ** self._negations_before(tokens, position))
        return weights

    def _negations_before(self, tokens: Sequence[str], position: int) -> int:
        found = 0
        for token in reversed(tokens[max(0, position - self._reach) : position]):
            if token in _MARKS:
                break
            found += token in self._negations or token.endswith("n't")
        return found


@judge("hostility-terms")
class HostilityTerms:
    """Toxicity: slurs, obscenities and wishes of harm, insults, hostile words, and a negative tone.

    Each further term of a kind counts less than the one before. A negative tone alone, however strong, makes
    no text toxic. Words that name a group of people, a faith or a politician are no terms.
    """

    name = "hostility-terms"

    def __init__(self) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        model = cast(dict[str, Any], load_lexicon("hostility"))
        kinds = cast(dict[str, list[str]], model["terms"])
        self._kind_of = {term: kind for kind, terms in kinds.items() for term in terms}
        self._finder = TermFinder(self._kind_of)
        self._weights = cast(dict[str, float], model["weights"])
        self._threshold = float(model["threshold"])
        self._analyzer = SentimentIntensityAnalyzer()

    def judge(self, texts: Sequence[str]) -> list[Judgement]:
        return [self._judge(text) for text in texts]

    def _judge(self, text: str) -> Judgement:
        counts = Counter(self._kind_of[hit.term] for hit in self._finder.find(tokenize(text)))
        words = sum(self._weights[kind] * (1 - math.exp(-n)) for kind, n in counts.items())
        shares = self._analyzer.polarity_scores(text)
        tone = float(shares["neg"] - shares["pos"])
        score = words + self._weights["vader"] * tone
        found = ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())) or "no hostile term"
        label = "toxic" if counts and score >= self._threshold else "clean"
        return Judgement(label, score, f"{found}; tone {-tone:+.2f}")
