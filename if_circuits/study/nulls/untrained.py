"""A study's responses as its model reads them before any training: same architecture, weights drawn anew.

The responses and their labels stay, and the untrained model reads them. Nothing that it holds was learned.
Words still pass through it, so that a label which stands in the words can be read; where prompt and words
must be held against each other, as in counterfactual pairs, nothing should be.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from if_circuits.activations.capture import capture
from if_circuits.activations.captured import CapturedActivations
from if_circuits.activations.store import discard
from if_circuits.analyses.base import ANALYSES
from if_circuits.errors import InputError
from if_circuits.io.code import code_digest
from if_circuits.models.loaded import LoadedModel
from if_circuits.models.untrained import untrained
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.nulls.draws import Drawn, Null
from if_circuits.study.pipeline import rows_to_capture
from if_circuits.study.prompting import unmeasured


def untrained_weights(directory: StudyDirectory, model: LoadedModel) -> Null:
    """The null of a study's responses, read by its model with weights drawn anew.

    The activations of a draw lie in the study's folder while it is at work, where they are found again after
    an interruption.
    Localisation exchanges activations in the untrained model. Causal ablation is done in representation only,
    since an untrained model answers nothing.
    """

    def draw(number: int) -> Drawn:
        fresh, run_settings = untrained(model, seed=number), directory.run_settings
        return _read(directory, fresh, folder(number)), {"model": fresh, "run_settings": run_settings}

    def folder(number: int) -> Path:
        # The dot keeps it out of what goes to a URL.
        return directory.root / f".null-untrained-{number}"

    def remove(number: int) -> None:
        shutil.rmtree(folder(number), ignore_errors=True)

    return Null("untrained", draw, remove, weights_code(), ANALYSES)


def weights_code() -> str:
    """Digest of what draws weights and reads responses with them."""
    return code_digest(untrained, _read)


def _read(directory: StudyDirectory, model: LoadedModel, folder: Path) -> CapturedActivations:
    """What the study captured, of another model; what `folder` holds of other responses is removed."""
    settings = directory.run_settings
    rows, pairs = rows_to_capture(directory, without=unmeasured(directory))
    as_before: dict[str, Any] = {
        "layers": settings.layers,
        "batch_size": settings.batch_size,
        "dtype": directory.config.store_dtype or "float32",
    }

    def captured(table: pd.DataFrame, path: Path) -> CapturedActivations:
        try:
            return capture(model, table, path=path, progress=False, **as_before)
        except InputError:
            if not path.exists():
                raise
            discard(path)  # of the study as it was when the draw was interrupted
            return capture(model, table, path=path, progress=False, **as_before)

    responses = captured(rows, folder / "responses")
    counterfactual = None
    if len(pairs):
        store = captured(pairs, folder / "pairs").store
        counterfactual = CapturedActivations(pairs, store, base_queries=responses.base_queries)
    return CapturedActivations(responses.responses, responses.store, counterfactual=counterfactual)
