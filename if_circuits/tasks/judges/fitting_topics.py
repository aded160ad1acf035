"""The zone of the judge of topics, by requests of six domains, and its measurement on those of four others.

A domain is described by words that were written from its name and the names of its intents, in
`assets/judges/domains.json`. Nothing but the zone is fitted. How closeness is made was settled with all ten
domains in view, so the numbers are of unseen texts and unseen topics for the zone alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from if_circuits.statistics.auroc import auroc
from if_circuits.tasks.judges.encoder import WEIGHTS_SHA256
from if_circuits.tasks.judges.heads import Zone, asset
from if_circuits.tasks.judges.labelled import SOURCES, Labelled, read_labelled
from if_circuits.tasks.judges.measurement import JudgeScore, Verdicts, score_of
from if_circuits.tasks.judges.topics import TopicEncoder
from if_circuits.tasks.judges.zones import narrowest_zone

HELD_OUT_DOMAINS = ("home", "meta", "small_talk", "work")


def fit_topics(data: Path) -> dict[str, Any]:
    """The zone of the judge of topics, and what was measured."""
    labelled = read_labelled("topic", data)
    judge = TopicEncoder(Zone(0.0, 0.0))
    words: dict[str, list[str]] = json.loads(asset("domains.json"))
    closeness = judge.closeness(labelled.texts, list(words.values()))
    table = {domain: closeness[:, index] for index, domain in enumerate(words)}
    chosen = [domain for domain in words if domain not in HELD_OUT_DOMAINS]
    zone = _zone(labelled, table, chosen)
    domains = np.array(labelled.labels)
    source = SOURCES["topic"]
    return {
        "judges": "topic",
        "source": source.title,
        "licence": source.licence,
        "attribution": source.attribution,
        "changes": "two thresholds fitted to the texts and labels; no text is part of this file",
        "encoder": "sentence-transformers/all-MiniLM-L6-v2, Apache-2.0",
        "encoder_sha256": WEIGHTS_SHA256,
        "protocol": " ".join((__doc__ or "").split()),
        "fitted_to": len(labelled.texts),
        "zone": asdict(_zone(labelled, table, list(words))),
        "aurocs": {domain: auroc(domains == domain, column) for domain, column in table.items()},
        "held_out": {"zone": asdict(zone), **asdict(_measure(labelled, table, HELD_OUT_DOMAINS, zone))},
        "date": date.today().isoformat(),
    }


def _pooled(
    labelled: Labelled, table: dict[str, Any], domains: tuple[str, ...] | list[str]
) -> tuple[Any, Any, list[str]]:
    """Closeness to each domain of each text of these domains, whether it is the text's own, and the text."""
    labels = np.array(labelled.labels)
    rows = np.flatnonzero(np.isin(labels, domains))
    scores = np.concatenate([table[domain][rows] for domain in domains])
    truth = np.concatenate([labels[rows] == domain for domain in domains])
    return scores, truth, [labelled.texts[row] for row in rows] * len(domains)


def _zone(labelled: Labelled, table: dict[str, Any], domains: list[str]) -> Zone:
    scores, truth, _ = _pooled(labelled, table, domains)
    return narrowest_zone(scores, truth)


def _measure(labelled: Labelled, table: dict[str, Any], domains: tuple[str, ...], zone: Zone) -> JudgeScore:
    scores, truth, texts = _pooled(labelled, table, domains)
    sides = np.array([zone.side(float(score)) for score in scores])
    return score_of("topic-encoder", Verdicts(scores, sides, np.where(truth, 1.0, -1.0), texts))
