"""What a plain prompt would have done: the constraint taken back, or said twice.

Both are sentences at the end of the prompt that asks. Their shift of log-odds stands on the axis of the
interchanges: 1 where the prompt that takes the constraint back makes the model prefer what it does unasked, 0
where it changes nothing, below 0 where it presses the constraint further. An intervention that does less than
a sentence is no finding about steering.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float

from if_circuits.activations.interchange import runs_of
from if_circuits.activations.log_odds import log_probabilities
from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.localisation.shifts import Shifts, summarise
from if_circuits.statistics.correction import benjamini_hochberg

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel

TAKE_BACK = "Ignore the last sentence."
"""In both suites the constraint is the prompt's last sentence."""
TAKEN_BACK, SAID_TWICE = "taken back", "said twice"


def plain_prompts(
    model: LoadedModel,
    source: ActivationSource,
    pairs: pd.DataFrame,
    *,
    settings: AnalysisSettings,
    tokens: int,
) -> pd.DataFrame:
    """One row per task and changed prompt.

    `pairs` are those of the interchanges, of which `tokens` of each text are read; one whose prompt does not
    begin with its counterpart has no part. Columns: task, sentence ("taken back" or "said twice"), share with
    low and high, p and p_adjusted (one-sided: towards the unasked for the one, away from it for the other),
    full, damage, wrong_way, n.
    """
    changed = _changed(source, pairs)
    if changed.empty:
        return pd.DataFrame({"task": [], "sentence": [], "share": []})
    read = {name: _read(model, changed, name, tokens) for name in ("asks", "other", TAKEN_BACK, SAID_TWICE)}
    found = [
        _shifts(str(task), rows, read, prompt, tokens)
        for task, rows in changed.groupby("task", sort=False)
        for prompt in (TAKEN_BACK, SAID_TWICE)
    ]
    table = summarise(found, settings).drop(columns=["share_placebo", "full_low", "full_high"])
    twice = table["sentence"] == SAID_TWICE
    table.loc[twice, ["share", "low", "high"]] = -table.loc[twice, ["share", "high", "low"]].to_numpy()
    table["p_adjusted"] = benjamini_hochberg(table["p"].to_numpy())
    return table


def _changed(source: ActivationSource, pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs with the four prompts as texts, where both of a pair are known and one begins the other."""
    responses = source.responses
    if "prompt" not in responses:
        return pairs.iloc[:0]
    text_of: Mapping[tuple[int, ...], str] = {
        tuple(tokens): str(prompt)
        for tokens, prompt in zip(responses["prompt_tokens"], responses["prompt"], strict=True)
    }
    asks = [text_of.get(tuple(tokens), "") for tokens in pairs["prompt_tokens"]]
    other = [text_of.get(tuple(tokens), "") for tokens in pairs["source_tokens"]]
    known = np.array([bool(b) and a.startswith(b) and a != b for a, b in zip(asks, other, strict=True)])
    table = pairs.assign(asks=asks, other=other)[known].reset_index(drop=True)
    constraint = [a.removeprefix(b).strip() for a, b in zip(table["asks"], table["other"], strict=True)]
    table[TAKEN_BACK] = table["asks"] + f" {TAKE_BACK}"
    table[SAID_TWICE] = table["asks"] + [f" {sentence}" for sentence in constraint]
    return table


def _read(model: LoadedModel, changed: pd.DataFrame, prompt: str, tokens: int) -> Float[np.ndarray, "rows 2"]:
    """Log-probabilities of each row's satisfying and violating text after one of its prompts."""
    encoded = model.chat.encode([str(each) for each in changed[prompt]])
    runs = runs_of(changed.assign(encoded=pd.Series(encoded, dtype=object)), "encoded", tokens)
    return log_probabilities(model, runs).reshape(-1, 2)


def _shifts(
    task: str,
    rows: pd.DataFrame,
    read: Mapping[str, Float[np.ndarray, "rows 2"]],
    prompt: str,
    tokens: int,
) -> Shifts:
    """The shift of one changed prompt, counted towards what it is meant to do."""
    here = {name: values[rows.index] for name, values in read.items()}
    odds = {name: values[:, 0] - values[:, 1] for name, values in here.items()}
    length = sum(rows[f"{text}_tokens"].map(len).clip(1, tokens) for text in ("satisfied", "violated"))
    mean = {name: values.sum(axis=1) / np.asarray(length) for name, values in here.items()}
    full = odds["other"] - odds["asks"]
    sign = 1.0 if full.mean() >= 0 else -1.0
    meant = 1.0 if prompt == TAKEN_BACK else -1.0
    return Shifts(
        task=task,
        place={"sentence": prompt},
        queries=rows["base_query"].to_numpy(dtype=str),
        towards=meant * sign * (odds[prompt] - odds["asks"]),
        full=sign * full,
        placebo=None,
        damage=np.clip(np.minimum(mean["asks"], mean["other"]) - mean[prompt], 0.0, None),
    )
