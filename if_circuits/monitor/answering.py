"""One or two answers to a prompt, token by token, as events: text, readings, and the running verdict.

The intact model and the changed one are two rows of one batch, so each token costs one pass for both. A
token's reading is known when the token has been read, in the pass that predicts the next one. Events gather
what passed since the last, so that a fast model is not held up by its audience.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int
from torch import Tensor

from if_circuits.generation.batch import Batch
from if_circuits.generation.nucleus import pick
from if_circuits.generation.own_attention import own_attention
from if_circuits.generation.responses import GenerationConfig, encode_prompts
from if_circuits.interventions.hooks import Intervention, intervene_by_row
from if_circuits.models.reading import reading
from if_circuits.monitor.pace import Pace
from if_circuits.monitor.probing import LiveWords
from if_circuits.monitor.verdict import RunningVerdict
from if_circuits.tasks.recognise import recognise

if TYPE_CHECKING:
    from if_circuits.monitor.subject import Subject
    from if_circuits.monitor.switches import Asked

Event = dict[str, Any]
EVERY = 0.05
"""Seconds between two events, unless a token takes longer."""
INTACT, CHANGED = "intact", "changed"


@dataclass
class _Row:
    """One answer as it grows."""

    ids: list[int]
    text: str
    words: LiveWords
    verdict: RunningVerdict
    pending: list[Event]
    ended: bool = False


def answer(subject: Subject, asked: Asked, *, pace: Pace | None = None) -> Iterator[Event]:
    """Events of one question: `start`, then `tokens`, then `end`; `pace` is asked before each token.

    Raises InputError for a prompt that is too long, and for switches that nothing was fitted for.
    """
    model, settings = subject.model, subject.run_settings
    config = GenerationConfig(
        max_new_tokens=asked.max_new_tokens or settings.max_new_tokens,
        temperature=asked.temperature,
        top_p=settings.top_p,
        samples_per_prompt=1,
        seed=asked.seed,
        batch_size=1,
    )
    (ids,) = encode_prompts(model, pd.DataFrame({"prompt_id": ["prompt"], "prompt": [asked.prompt]}), config)
    changes = subject.interventions(asked.switches)
    conditions: list[list[Intervention]] = [[], changes] if changes else [[]]
    constraint = recognise(asked.prompt)
    words = list(subject.probes.words.values())
    rows = [
        _Row([], "", LiveWords(words, ids), RunningVerdict(constraint, settings.judges), [])
        for _ in conditions
    ]
    yield {
        "event": "start",
        "prompt_tokens": len(ids),
        "task": None if constraint is None else constraint[0].name,
        "parameters": None if constraint is None else dict(constraint[1]),
        "answers": [INTACT, CHANGED][: len(conditions)],
        "asked": asked.to_json(),
    }
    yield from _generate(subject, ids, conditions, rows, config, pace or Pace())


def _generate(
    subject: Subject,
    prompt: Sequence[int],
    conditions: Sequence[Sequence[Intervention]],
    rows: Sequence[_Row],
    config: GenerationConfig,
    pace: Pace,
) -> Iterator[Event]:
    model, live = subject.model, subject.live
    lengths = torch.tensor([len(prompt)], device=model.device)
    noise = np.random.default_rng(config.seed).random(config.max_new_tokens)
    with (
        reading(model),
        own_attention(model),
        intervene_by_row(model, conditions) as reader,
        live.watching(model),
    ):

        def assign(numbers: Int[Tensor, " batch"]) -> None:
            prompts = torch.zeros_like(numbers)
            reader.assign(prompts=prompts, lengths=lengths[prompts], conditions=numbers)

        numbers = torch.arange(len(rows), device=model.device)
        batch = Batch(model, [prompt] * len(rows), numbers, config.max_new_tokens + 1, assign)
        logits = batch.read_prompts()
        for row in rows:
            row.pending.append({"text": "", "words": row.words.read()})
        told = 0.0
        for step in range(config.max_new_tokens):
            while (may := pace.take()) is None:  # held: what is known so far is told first
                if any(row.pending for row in rows):
                    yield _event(subject, rows)
                pace.wait()
            if not may:
                break
            # Both answers have the same noise.
            quantile = torch.full((len(rows),), float(noise[step]), dtype=torch.float64, device=logits.device)
            tokens = pick(logits, config.temperature, config.top_p, quantile)
            for row, token in zip(rows, tokens.tolist(), strict=True):
                row.ended = row.ended or token in model.chat.eos_ids
                if not row.ended:
                    _grow(subject, row, token)
            if all(row.ended for row in rows):
                break
            logits = batch.read(tokens)
            if time.monotonic() - told >= EVERY:
                told = time.monotonic()
                yield _event(subject, rows)
        last = _event(subject, rows)
        if any(last["rows"]):
            yield last
    yield {
        "event": "end",
        "stopped": pace.ended,
        "why": pace.why,
        "answers": [
            {
                "text": row.text,
                "n_tokens": len(row.ids),
                "truncated": not row.ended,
                "verdict": row.verdict.at_end(row.text),
            }
            for row in rows
        ],
    }


def _grow(subject: Subject, row: _Row, token: int) -> None:
    row.ids.append(token)
    text = subject.model.chat.decode(row.ids)
    row.words.add(token)
    row.pending.append({"text": text[len(row.text) :], "words": row.words.read()})
    row.text = text
    row.verdict.add(text)


def _event(subject: Subject, rows: Sequence[_Row]) -> Event:
    """All tokens since the last event, with their readings: one of each layer and task a token."""
    readings = subject.live.read()
    found: list[list[Event]] = []
    for number, row in enumerate(rows):
        tokens = row.pending
        for at, token in enumerate(tokens):
            token["words"] = [round(value, 3) for value in token["words"]]
            if at < len(readings):
                token["readings"] = np.round(readings[at, number].astype(np.float64), 3).tolist()
        found.append(list(tokens))
        tokens.clear()
    return {"event": "tokens", "rows": found, "verdicts": [row.verdict.so_far for row in rows]}
