"""Interchange: set what lies in a subspace, at a layer and position, to its value in another run.

Two prompts about one base query, of which one asks for a constraint, are read with the same text behind them
(teacher forcing). The residual stream of the one run, or its part in a subspace, takes the value that it has
in the other. What that does to the log-odds of a satisfying text against a violating one says what the place
carries. Nothing is generated; `generation.in_step` does the same while the model writes. Which token takes
from which is said in `interventions.interchange`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float

from if_circuits.activations.donors import record_donor
from if_circuits.activations.interchange_pairs import COLUMNS
from if_circuits.activations.log_odds import ReadPrompts, alike
from if_circuits.activations.teacher_forcing import Run
from if_circuits.errors import InputError
from if_circuits.interventions.interchange import DIRECTIONS, PLACES, Direction, Interchange, interchanges
from if_circuits.interventions.patching import Donor
from if_circuits.interventions.subspace import Subspace
from if_circuits.models.reading import reading
from if_circuits.progress import Progress, Report, part_of, reporting

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel

LONGEST = 64
"""Tokens of a text that are read at most, by default."""


def interchange(
    model: LoadedModel,
    pairs: pd.DataFrame,
    *,
    layers: int | Sequence[int],
    positions: str | Sequence[str] = tuple(PLACES),
    directions: str | Sequence[str] = DIRECTIONS,
    subspace: Subspace | None = None,
    doses: float | Sequence[float] = 1.0,
    placebos: int = 0,
    max_tokens: int = LONGEST,
    progress: Progress = None,
) -> pd.DataFrame:
    """The shift of log-odds of satisfying against violating texts under interchange.

    Args:
        model: What `load_model` gave.
        pairs: What `ifc.interchange_pairs` made.
        layers: -1 is `embed`, i the residual stream after block i.
        positions: `prompt_end`, `response` or `all`, the two together.
        directions: `takes`: the prompt that asks receives from the other run. `gives`: the reverse.
        subspace: What is exchanged; without one, the whole residual stream.
        doses: 1 sets the component to the other run's, 0 changes nothing, 2 goes as far again.
        placebos: Random displacements of the same length beside each interchange.
        max_tokens: Tokens of each text that are read at most.
        progress: None for a bar in notebooks and terminals; True, False, or a function of (done, in all).

    Returns:
        One row a pair and interchange: task, base_query, pair, direction, layer, position, subspace, rank,
        dose, placebo (a number, or missing), log_odds (nats), log_odds_base and log_odds_source (of the two
        runs untouched), shift (log_odds - log_odds_base), full (log_odds_source - log_odds_base), and
        log_prob with log_prob_base and log_prob_source (mean log-probability of a token of both texts, which
        falls where the model is damaged).

    Raises:
        InputError: For pairs without their columns, and unknown positions, directions or layers.

    Example:
        >>> import if_circuits as ifc
        >>> model = ifc.load_model("if-tiny")
        >>> rows = ifc.respond(model, ifc.prompts("json_format", n=4, counterparts=True), temperature=0)
        >>> moved = ifc.interchange(
        ...     model, ifc.interchange_pairs(rows), layers=[-1, 5], positions="all", directions="takes"
        ... )
        >>> moved.groupby("layer")[["shift", "full"]].mean().round(1).values.tolist()
        [[0.0, -20.9], [-20.9, -20.9]]
    """
    changes = interchanges(
        layers,
        positions=positions,
        directions=directions,
        subspace=subspace,
        doses=doses,
        placebos=placebos,
    )
    with reporting(progress, "interchange") as report:
        return apply_interchanges(model, pairs, changes, max_tokens=max_tokens, progress=report)


def apply_interchanges(
    model: LoadedModel,
    pairs: pd.DataFrame,
    changes: Sequence[Interchange],
    *,
    max_tokens: int = LONGEST,
    progress: Report | None = None,
) -> pd.DataFrame:
    """The rows of `interchange` for each of the changes, in their order, and each pair."""
    missing = [name for name in COLUMNS[:-1] if name not in pairs]
    if missing or pairs.empty:
        raise InputError(
            f"an interchange needs pairs with the columns {', '.join(COLUMNS[:-1])}, got {len(pairs)} rows "
            f"without {', '.join(missing) or 'any missing'}; ifc.interchange_pairs makes them"
        )
    pairs = pairs.reset_index(drop=True)
    read = {
        direction: _read(model, pairs, direction, changes, max_tokens, report)
        for direction, report in _shares(changes, progress)
    }
    rows = [
        _rows(pairs, change, read[change.direction], read[change.direction].after[i], max_tokens)
        for i, change in enumerate(changes)
    ]
    return pd.concat(rows, ignore_index=True)


@dataclass(frozen=True, eq=False)
class _Read:
    """Log-probabilities of every text: each pair's satisfying one, then its violating one."""

    base: Float[np.ndarray, " texts"]
    source: Float[np.ndarray, " texts"]
    after: Mapping[int, Float[np.ndarray, " texts"]]
    """By the number of the change."""


def _read(
    model: LoadedModel,
    pairs: pd.DataFrame,
    direction: Direction,
    changes: Sequence[Interchange],
    max_tokens: int,
    progress: Report | None,
) -> _Read:
    """Read every text under the changes of one direction, those of like length together."""
    asks, other = (runs_of(pairs, name, max_tokens) for name in ("prompt_tokens", "source_tokens"))
    bases, sources = (asks, other) if direction == "takes" else (other, asks)
    ours = {i: change for i, change in enumerate(changes) if change.direction == direction}
    layers = sorted({change.layer for change in ours.values()})
    base, source = np.zeros((2, len(bases)))
    after = {i: np.zeros(len(bases)) for i in ours}
    batches, done = list(alike(model, bases)), 0
    with reading(model):
        for batch in batches:
            donating = [sources[row] for row in batch]
            read = ReadPrompts(model, [bases[row] for row in batch], layers=layers)
            base[batch] = read.log_probabilities()
            source[batch] = ReadPrompts(model, donating).log_probabilities()
            donor = _donor(model, donating, layers)
            for i, change in ours.items():
                after[i][batch] = read.log_probabilities([change.intervention(donor)])
                done += 1
                if progress is not None:
                    progress(done, len(batches) * len(ours))
    return _Read(base, source, after)


def _shares(
    changes: Sequence[Interchange], progress: Report | None
) -> Iterator[tuple[Direction, Report | None]]:
    """The directions that occur, each with its part of the progress."""
    present: list[Direction] = list(dict.fromkeys(change.direction for change in changes))
    for number, direction in enumerate(present):
        yield direction, part_of(progress, number, len(present))


def _rows(
    pairs: pd.DataFrame, change: Interchange, read: _Read, after: Float[np.ndarray, " texts"], max_tokens: int
) -> pd.DataFrame:
    odds = {
        name: _log_odds(values)
        for name, values in (("", after), ("_base", read.base), ("_source", read.source))
    }
    tokens = sum(pairs[f"{text}_tokens"].map(len).clip(1, max_tokens) for text in ("satisfied", "violated"))
    means = {
        name: values.reshape(-1, 2).sum(axis=1) / tokens
        for name, values in (("", after), ("_base", read.base), ("_source", read.source))
    }
    return pairs[["task", "base_query"]].assign(
        pair=pairs.index,
        **change.columns(len(pairs)),
        **{f"log_odds{name}": values for name, values in odds.items()},
        shift=odds[""] - odds["_base"],
        full=odds["_source"] - odds["_base"],
        **{f"log_prob{name}": values for name, values in means.items()},
    )


def _log_odds(texts: Float[np.ndarray, " texts"]) -> Float[np.ndarray, " pairs"]:
    return texts[::2] - texts[1::2]


def runs_of(pairs: pd.DataFrame, prompt: str, max_tokens: int) -> list[Run]:
    """Two runs a pair: the prompt with the satisfying text, and with the violating one."""
    columns = (pairs[name] for name in (prompt, "satisfied_tokens", "violated_tokens"))
    return [
        (list(ids), list(text)[:max_tokens]) for ids, *texts in zip(*columns, strict=True) for text in texts
    ]


def _donor(model: LoadedModel, runs: Sequence[Run], layers: Sequence[int]) -> Donor:
    prompts, texts = zip(*runs, strict=True)
    table = pd.DataFrame({"prompt_tokens": list(prompts), "response_tokens": list(texts)})
    return record_donor(model, table, layers=layers, name="the other run")
