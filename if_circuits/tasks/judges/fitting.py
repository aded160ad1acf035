"""Fits the heads that ship with the judges, and measures the same procedure on texts that chose nothing.

    python -m if_circuits.tasks.judges.fitting DATA OUT

1. Two fifths of the texts, by a digest of each, are held out (`labelled`).
2. On the others, ten-fold cross-validation chooses penalty and scale of the counted features, by correlation
   for register and by AUROC for the rest, and the zone of the undecided from the scores of the same folds.
3. A head fitted to these others is measured once on the texts held out: the numbers of the record.
4. With all texts in ten outer folds, 2 is repeated nine parts by nine and its head measured on the tenth:
   less exact a question than 3, of ten heads, and more exact an answer.
5. The head that ships repeats 2 on all texts and is fitted to all. It is not measured: nothing is left.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from safetensors.numpy import save_file

from if_circuits.io.durable import durable_file, write_text
from if_circuits.statistics.auroc import auroc
from if_circuits.tasks.judges.encoder import WEIGHTS_SHA256, sentence_encoder
from if_circuits.tasks.judges.features import counted, encoded
from if_circuits.tasks.judges.fitting_topics import fit_topics
from if_circuits.tasks.judges.heads import Head, Zone
from if_circuits.tasks.judges.labelled import SOURCES, Labelled, read_labelled
from if_circuits.tasks.judges.measurement import JudgeScore, Verdicts, score_of
from if_circuits.tasks.judges.ridge import GRID, RidgeChoice, cross_validated, fit_ridge, folds
from if_circuits.tasks.judges.zones import narrowest_zone

HIGH = {"register": "formal", "sentiment": "positive", "toxicity": "toxic"}
"""What is fitted, and the label that a large score speaks for."""


class Fitting:
    """One set of labelled texts with its features, in arrays of equal length."""

    def __init__(self, what: str, labelled: Labelled) -> None:
        self.what = what
        self.labelled = labelled
        self.encoded = encoded(what, labelled.texts, sentence_encoder()).astype(np.float64)
        self.counted = counted(what, labelled.texts)
        self.target = labelled.numbers(HIGH[what])

    def choose(self, rows: Bool[np.ndarray, " texts"]) -> tuple[RidgeChoice, Zone]:
        """The choice and the zone, by cross-validation inside `rows`."""
        scores = cross_validated(
            self.encoded[rows], self.counted[rows], self.target[rows], groups=self._groups(rows)
        )
        best = int(np.argmax([self._quality(each, rows) for each in scores]))
        verdicts = self._verdicts(scores[best], rows, Zone(0.0, 0.0))
        clear = verdicts.clear()
        return GRID[best], narrowest_zone(scores[best][clear], verdicts.truth()[clear])

    def fit(self, rows: Bool[np.ndarray, " texts"], choice: RidgeChoice, zone: Zone) -> Head:
        """The head fitted to `rows`, as it ships: in single precision."""
        weight, bias = fit_ridge(self.encoded[rows], self.counted[rows], self.target[rows], choice=choice)
        return Head(weight.astype(np.float32).astype(np.float64), float(np.float32(bias)), zone)

    def measure(self, head: Head, rows: Bool[np.ndarray, " texts"]) -> JudgeScore:
        """The head's agreement with people on `rows`."""
        scores = head.score(np.hstack([self.encoded[rows], self.counted[rows]]))
        return score_of(f"{self.what}-encoder", self._verdicts(scores, rows, head.zone))

    def nested(self, n_folds: int = 10) -> JudgeScore:
        """The agreement with people on all texts, each judged by a head that it had no part in."""
        fold_of = folds(self.labelled.groups, n_folds=n_folds, seed=1)
        scores, sides = np.empty(len(self.target)), np.empty(len(self.target), dtype=np.int64)
        for fold in range(n_folds):
            test = fold_of == fold
            head = self.fit(~test, *self.choose(~test))
            scores[test] = head.score(np.hstack([self.encoded[test], self.counted[test]]))
            sides[test] = [head.zone.side(float(score)) for score in scores[test]]
        return score_of(
            f"{self.what}-encoder", Verdicts(scores, sides, self.target, list(self.labelled.groups))
        )

    def _verdicts(
        self, scores: Float[np.ndarray, " texts"], rows: Bool[np.ndarray, " texts"], zone: Zone
    ) -> Verdicts:
        sides = np.array([zone.side(float(score)) for score in scores])
        return Verdicts(scores, sides, self.target[rows], self._groups(rows))

    def _groups(self, rows: Bool[np.ndarray, " texts"]) -> list[str]:
        return [group for group, taken in zip(self.labelled.groups, rows, strict=True) if taken]

    def _quality(self, scores: Float[np.ndarray, " texts"], rows: Bool[np.ndarray, " texts"]) -> float:
        if self.what == "register":
            return float(np.corrcoef(scores, self.target[rows])[0, 1])
        return auroc(self.target[rows] > 0, scores)


def fit_head(what: str, data: Path, out: Path) -> dict[str, Any]:
    """Fit the head that judges `what`, write it to `out`, and return what is to be known of it."""
    fitting = Fitting(what, read_labelled(what, data))
    held_out = fitting.labelled.held_out
    choice, zone = fitting.choose(~held_out)
    measured = fitting.measure(fitting.fit(~held_out, choice, zone), held_out)
    everything = np.ones_like(held_out)
    nested = fitting.nested()
    shipped_choice, shipped_zone = fitting.choose(everything)
    head = fitting.fit(everything, shipped_choice, shipped_zone)
    source = SOURCES[what]
    record: dict[str, Any] = {
        "judges": what,
        "source": source.title,
        "licence": source.licence,
        "attribution": source.attribution,
        "changes": "linear weights fitted to the texts and labels; no text is part of this file",
        "encoder": "sentence-transformers/all-MiniLM-L6-v2, Apache-2.0",
        "encoder_sha256": WEIGHTS_SHA256,
        "protocol": " ".join((__doc__ or "").partition("1. ")[2].split()),
        "fitted_to": len(fitting.labelled.texts),
        "chosen": asdict(shipped_choice),
        "zone": asdict(shipped_zone),
        "held_out": {"chosen": asdict(choice), "zone": asdict(zone), **asdict(measured)},
        "nested": asdict(nested),
        "date": date.today().isoformat(),
    }
    with durable_file(out / f"{what}.safetensors") as partial:
        save_file(
            {"weight": head.weight.astype(np.float32), "bias": np.array([head.bias], dtype=np.float32)},
            partial,
        )
    return record


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit every head and write it beside its record."""
    parser = argparse.ArgumentParser(description="Fit the heads of the judges.")
    parser.add_argument("data", type=Path, help="folder of the labelled sets")
    parser.add_argument("out", type=Path, help="where heads and records are written")
    parsed = parser.parse_args(arguments)
    for what in (*HIGH, "topic"):
        record = fit_topics(parsed.data) if what == "topic" else fit_head(what, parsed.data, parsed.out)
        write_text(parsed.out / f"{what}.json", json.dumps(record, indent=2, ensure_ascii=False) + "\n")
        sys.stdout.write(f"{what}: AUROC {record['held_out']['auroc']:.3f} on texts held out\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
