"""Texts with human labels, read from a folder of public data sets that is no part of this project."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from if_circuits.errors import InputError


@dataclass(frozen=True)
class Source:
    """Where labelled texts come from; their licence lets weights that are fitted to them be given away."""

    file: str
    delimiter: str
    text: str
    label: str
    title: str
    licence: str
    attribution: str
    group: str | None = None
    """Column of texts that belong together; by default each text stands alone."""


SOURCES: Mapping[str, Source] = {
    "register": Source(
        "pavlick_formality/train.csv",
        ",",
        "text",
        "label",
        "sentences with a human score of formality",
        "CC BY 3.0",
        "Ellie Pavlick and Joel Tetreault, An Empirical Analysis of Formality in Online Communication, "
        "TACL 2016",
    ),
    "sentiment": Source(
        "cad_sentiment/dev_paired.tsv",
        "\t",
        "Text",
        "Sentiment",
        "film reviews and their rewrites of opposite sentiment",
        "Apache-2.0",
        "Divyansh Kaushik, Eduard Hovy and Zachary Lipton, Learning the Difference that Makes a Difference "
        "with Counterfactually-Augmented Data, ICLR 2020",
        group="batch_id",
    ),
    "toxicity": Source(
        "surge_toxicity/toxicity_en_half.csv",
        ",",
        "text",
        "is_toxic",
        "social-media comments",
        "MIT",
        "Surge AI, The Toxicity Dataset",
    ),
    "topic": Source(
        "clinc_domains/val.csv",
        ",",
        "text",
        "domain",
        "requests of ten domains",
        "CC BY 3.0",
        "Stefan Larson et al., An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction, "
        "EMNLP 2019",
    ),
}
"""The data sets, by what they are labelled for."""

_HELD_OUT_OF_TEN = 4


@dataclass(frozen=True)
class Labelled:
    """Texts with labels, as numbers where these are scores, and which of them nothing is chosen by."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    groups: tuple[str, ...]

    @property
    def held_out(self) -> Bool[np.ndarray, " texts"]:
        """Two fifths, by a digest of the group: the same in every run, whatever the order of the rows."""
        return np.array([_is_held_out(group) for group in self.groups])

    def numbers(self, high: str) -> Float[np.ndarray, " texts"]:
        """1 for the label `high` and -1 for another; a label that is a number is itself."""
        try:
            return np.array([float(label) for label in self.labels])
        except ValueError:
            return np.array([1.0 if label == high else -1.0 for label in self.labels])


def read_labelled(what: str, data: Path) -> Labelled:
    """The texts labelled for `what` under `data`. Raises InputError where the file is missing."""
    source = SOURCES[what]
    path = data / source.file
    if not path.is_file():
        raise InputError(
            f"{path} is missing; expected {source.title}, with columns {source.text}, {source.label}"
        )
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=source.delimiter))
    return Labelled(
        tuple(row[source.text].replace("<br />", " ") for row in rows),
        tuple(row[source.label].lower().replace("not toxic", "clean") for row in rows),
        tuple(row[source.group] if source.group else row[source.text] for row in rows),
    )


def _is_held_out(group: str) -> bool:
    return int(hashlib.sha256(f"if_circuits:{group}".encode()).hexdigest(), 16) % 10 < _HELD_OUT_OF_TEN
