"""Specialists along the response, and the words beside them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import numpy as np

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.shared.cells import cells_of, specialists_of
from if_circuits.analyses.shared.layer_choice import ChosenSpecialists, LayerChoice, of_each_fold
from if_circuits.analyses.shared.probing import ProbingRows
from if_circuits.analyses.shared.score_table import Score, score
from if_circuits.analyses.shared.text_baselines import text_score, texts_of
from if_circuits.engine.base import Engine
from if_circuits.probes.baselines import TEXT_CS
from if_circuits.progress import Report

START, END = "prompt_end", "last"
_MIDDLE_C = 0.1
"""Penalty of the words between the two positions that are tested; there it is chosen by nested
cross-validation."""


def scores_along(
    source: ActivationSource,
    rows: Mapping[str, ProbingRows],
    choices: Mapping[str, LayerChoice],
    engine: Engine,
    on_probes: Report | None,
    on_words: Report | None,
) -> list[Score]:
    """Specialists and words, position by position."""
    probed = {position: here for position, here in rows.items() if here.tasks}
    chosen = {position: choices[START if position == START else END] for position in probed}
    cells = [
        cell
        for position, here in probed.items()
        for cell in cells_of(source, here, chosen[position].candidates)
    ]
    texts = [
        each
        for position, here in probed.items()
        for each in texts_of(source, here, Cs=TEXT_CS if position in (START, END) else (_MIDDLE_C,))
    ]
    fits = iter(list(engine.map(specialists_of, cells, progress=on_probes)))
    found = {
        position: of_each_fold(here, chosen[position], list(islice(fits, len(chosen[position].candidates))))
        for position, here in probed.items()
    }
    words = iter(list(engine.map(text_score, texts, progress=on_words)))
    return [
        each
        for position, here in probed.items()
        for each in (
            *_probe_scores(here, chosen[position], found[position]),
            *islice(words, len(here.tasks)),
        )
    ]


def _probe_scores(rows: ProbingRows, choice: LayerChoice, found: ChosenSpecialists) -> list[Score]:
    """Specialists at one position, each fold at its own layer."""
    each, own = np.arange(len(rows.rows)), rows.task_of_row
    return [
        score(
            rows,
            task,
            found.values[each, own],
            threshold=found.prior[each, own],
            probe="specialist",
            layer=choice.usual,
            n_train=float(found.n_train[task]),
            d=round(found.n_train[task] / found.n_over_d[task]),
            n_over_d=float(found.n_over_d[task]),
        )
        for task in range(len(rows.tasks))
    ]
