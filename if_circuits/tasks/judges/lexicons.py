"""Judges that count words of small lexicons, and VADER (Hutto and Gilbert 2014) as it is.

They are shallow on purpose and by name: the topic judge counts topic words, the insult judge knows a list of
insults and nothing else of toxicity.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import cast

from if_circuits.tasks.judges.base import Judgement, load_lexicon
from if_circuits.tasks.judges.registry import judge


def phrase_counter(phrases: Sequence[str]) -> Callable[[str], int]:
    """A function that counts how often any of `phrases` stands in a text, as whole words in any case."""
    longest_first = sorted(phrases, key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", re.IGNORECASE)
    return lambda text: len(pattern.findall(text))


@judge("topic-lexicon")
class TopicLexicon:
    """Names the topic whose words occur most often; undecided without any, or on a tie."""

    name = "topic-lexicon"

    def __init__(self) -> None:
        lexicon = cast(dict[str, list[str]], load_lexicon("topics"))
        self._counters = {topic: phrase_counter(words) for topic, words in lexicon.items()}

    def judge(self, texts: Sequence[str]) -> list[Judgement]:
        return [self._judge(text) for text in texts]

    def _judge(self, text: str) -> Judgement:
        counts = {topic: count(text) for topic, count in self._counters.items()}
        most = max(counts.values())
        leaders = [topic for topic, count in counts.items() if count == most]
        if most == 0:
            return Judgement(None, 0.0, "no topic word")
        if len(leaders) > 1:
            return Judgement(None, float(most), f"tie between {' and '.join(leaders)}")
        return Judgement(leaders[0], float(most), f"{most} words of {leaders[0]}")


@judge("vader")
class VaderSentiment:
    """VADER's compound score with its authors' thresholds: positive from 0.05, negative from -0.05, else
    neutral.
    """

    name = "vader"
    threshold = 0.05

    def __init__(self) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        self._analyzer = SentimentIntensityAnalyzer()

    def judge(self, texts: Sequence[str]) -> list[Judgement]:
        return [self._judge(text) for text in texts]

    def _judge(self, text: str) -> Judgement:
        score = float(self._analyzer.polarity_scores(text)["compound"])
        label = "neutral" if abs(score) < self.threshold else "positive" if score > 0 else "negative"
        return Judgement(label, score, f"compound {score:+.2f}")


@judge("insult-lexicon")
class InsultLexicon:
    """Calls a text toxic when it holds an insult or a swear word. It knows a list of words, not toxicity."""

    name = "insult-lexicon"

    def __init__(self) -> None:
        self._count = phrase_counter(cast(list[str], load_lexicon("insults")))

    def judge(self, texts: Sequence[str]) -> list[Judgement]:
        counts = [self._count(text) for text in texts]
        return [Judgement("toxic" if n else "clean", float(n), f"{n} insults") for n in counts]


@judge("register-lexicon")
class RegisterLexicon:
    """Compares formal with informal markers; undecided without any, or on a tie."""

    name = "register-lexicon"

    def __init__(self) -> None:
        lexicon = cast(dict[str, list[str]], load_lexicon("register"))
        self._formal = phrase_counter(lexicon["formal"])
        self._informal = phrase_counter(lexicon["informal"])

    def judge(self, texts: Sequence[str]) -> list[Judgement]:
        return [self._judge(text) for text in texts]

    def _judge(self, text: str) -> Judgement:
        formal, informal = self._formal(text), self._informal(text)
        label = None if formal == informal else "formal" if formal > informal else "informal"
        return Judgement(label, float(formal - informal), f"{formal} formal, {informal} informal markers")
