"""The stage that reads a sample of responses token by token, by one teacher-forced pass, for the report.

Of each task a few are read, satisfied and violated in turn, all of base queries that fitted no probe
(`analyses.shared.token_probes`). Where the model is not at hand, the stored positions are read instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float
from torch import Tensor

from if_circuits.activations.positions import ABSENT, prefix_lengths
from if_circuits.activations.source import ActivationSource
from if_circuits.activations.teacher_forcing import read_layers
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.shared.families import families_of
from if_circuits.analyses.shared.token_probes import TokenProbes, fit_token_probes
from if_circuits.report.readings import Readings
from if_circuits.tasks.labels import Label

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel

PER_TASK = 4
"""Responses of each task that are read."""


def read_sample(source: ActivationSource, settings: AnalysisSettings, model: LoadedModel) -> Readings:
    """Every token of the sample, by a pass of the model for each response."""
    probes = fit_token_probes(source, settings)
    sample = choose_sample(source, probes)
    found: list[pd.DataFrame] = []
    pieces: list[pd.DataFrame] = []
    for row in sample.to_dict("records"):
        prompt, response = list(row["prompt_tokens"]), list(row["response_tokens"])[: int(row["n_tokens"])]
        X = read_tokens(model, prompt, response, source.layers)
        tokens = list(range(len(response) + 1))
        found.append(_rows(probes, str(row["response_id"]), tokens, X, prompt, response))
        texts = ["", *model.chat.pieces(response)]
        pieces.append(pd.DataFrame({"response_id": row["response_id"], "token": tokens, "text_token": texts}))
    return _readings(probes, found, pieces, every_token=True)


def read_stored(source: ActivationSource, settings: AnalysisSettings) -> Readings:
    """The stored positions of the sample, from the study's files alone."""
    probes = fit_token_probes(source, settings)
    sample = choose_sample(source, probes)
    features = {
        layer: np.stack([source.features(layer, position)[sample.index] for position in source.positions])
        for layer in (source.layers if len(sample) else ())
    }
    found: list[pd.DataFrame] = []
    pieces: list[pd.DataFrame] = []
    for number, row in enumerate(sample.to_dict("records")):
        lengths = prefix_lengths(int(row["n_tokens"]), truncated=bool(row["truncated"]))
        # Of positions that fall on one token, as in a short response, the first.
        read = {
            lengths[name]: (at, name)
            for at, name in reversed(list(enumerate(source.positions)))
            if name != "eos" and lengths[name] != ABSENT
        }
        tokens = sorted(read)
        places = [read[token][0] for token in tokens]
        X = {layer: each[places, number] for layer, each in features.items()}
        prompt, response = list(row["prompt_tokens"]), list(row["response_tokens"])
        found.append(_rows(probes, str(row["response_id"]), tokens, X, prompt, response))
        pieces.append(
            pd.DataFrame(
                {
                    "response_id": row["response_id"],
                    "token": tokens,
                    "text_token": [read[token][1] for token in tokens],
                }
            )
        )
    return _readings(probes, found, pieces, every_token=False)


def choose_sample(source: ActivationSource, probes: TokenProbes) -> pd.DataFrame:
    """Responses to constrained prompts of held-out base queries, by task, satisfied and violated in turn.

    Rows keep their number in the source as index. The first of each kind are taken, not the best, of as many
    base queries as can be.
    """
    rows = source.responses
    usable = rows["constrained"].to_numpy(dtype=bool) & rows["base_query"].isin(list(probes.held_out))
    chosen: list[int] = []
    for task in families_of(rows) if probes.tasks else ():
        kinds = [
            rows.index[usable & (rows["task"] == task) & (rows["verdict"] == verdict)].tolist()
            for verdict in (Label.SATISFIED.value, Label.VIOLATED.value)
        ]
        turns = [
            (again, turn, kind, row)
            for kind, found in enumerate(kinds)
            for turn, (row, again) in enumerate(
                zip(found, rows.loc[found].groupby("base_query").cumcount(), strict=True)
            )
        ]
        chosen += [row for *_, row in sorted(turns)[:PER_TASK]]
    return rows.loc[chosen]


def read_tokens(
    model: LoadedModel, prompt: Sequence[int], response: Sequence[int], layers: Sequence[int]
) -> dict[int, Float[np.ndarray, "tokens+1 d_model"]]:
    """Activations at the prompt's last token and at each of the response, by layer."""
    taken: dict[int, Float[np.ndarray, "tokens d_model"]] = {}

    def take(layer: int, activation: Float[Tensor, "batch token d_model"]) -> None:
        taken[layer] = activation[0, len(prompt) - 1 :].to("cpu").float().numpy().copy()

    read_layers(model, [(prompt, response)], sorted(layers), take)
    return taken


def _rows(
    probes: TokenProbes,
    response_id: str,
    tokens: Sequence[int],
    X: Mapping[int, Float[np.ndarray, "tokens d_model"]],
    prompt: Sequence[int],
    response: Sequence[int],
) -> pd.DataFrame:
    """The readings of one response under every probe, and from its words."""
    words = probes.read_words(prompt, response)
    parts = [
        pd.DataFrame({"train_task": task, "layer": np.nan, "token": tokens, "reading": along[tokens]})
        for task, along in words.items()
    ]
    parts += [
        pd.DataFrame({"train_task": task, "layer": float(layer), "token": tokens, "reading": values})
        for layer in probes.layers
        for task, values in probes.read(layer, X[layer]).items()
    ]
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "response_id", response_id)
    return table.astype({"reading": np.float32})


def _readings(
    probes: TokenProbes, found: list[pd.DataFrame], pieces: list[pd.DataFrame], *, every_token: bool
) -> Readings:
    nothing = pd.DataFrame({"response_id": [], "train_task": [], "layer": [], "token": [], "reading": []})
    known = [
        {"train_task": task, "layer": np.nan if layer is None else float(layer), "auroc": value, "reason": ""}
        for (task, layer), value in probes.aurocs.items()
    ]
    absent = [
        {"train_task": task, "layer": np.nan, "auroc": np.nan, "reason": why}
        for task, why in probes.left_out.items()
    ]
    return Readings(
        table=pd.concat(found, ignore_index=True) if found else nothing,
        tokens=pd.concat(pieces, ignore_index=True)
        if pieces
        else pd.DataFrame({"response_id": [], "token": [], "text_token": []}),
        probes=pd.DataFrame([*known, *absent], columns=["train_task", "layer", "auroc", "reason"]),
        calibration=probes.calibration,
        every_token=every_token,
    )
