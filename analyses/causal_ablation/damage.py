"""What ablations break besides the task they aim at.

In what the model writes: length, repetition, truncation, compliance off task. In what it reads (neutral
text, `neutral_text`): the divergence from the intact model, and perplexity. Random directions do damage
too, so each removal stands beside its controls.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.causal_ablation.answers import INTACT
from if_circuits.analyses.causal_ablation.behaviour import HalfAnswers
from if_circuits.analyses.shared.task_subspaces import CONTROLS
from if_circuits.statistics.bootstrap import bootstrap_draws, interval_of
from if_circuits.statistics.permutation import permutation_p
from if_circuits.tasks.labels import is_undecided


def damage_table(
    halves: Sequence[HalfAnswers],
    read: Sequence[pd.DataFrame],
    tasks: Sequence[str],
    *,
    settings: AnalysisSettings,
) -> pd.DataFrame:
    """One row for the intact model; for each ablated task one for its removal and one for each kind of
    control.

    `read` holds each half's neutral texts, as `neutral_text.read_texts` gives them. Columns: ablated (""
    for intact), condition ("intact", "removed" or the kind of control), n (responses), n_tokens, repetition
    (share of word pairs that repeat an earlier one), truncated, empty, undecided (shares),
    compliance_off_task (on the other tasks' prompts), kl (nats a token, from the intact model) with low and
    high over base queries, p_kl (as much divergence among the control draws of either kind, the larger p),
    perplexity, n_texts.
    """
    responses = pd.concat([half.responses.assign(half=i) for i, half in enumerate(halves)], ignore_index=True)
    responses["repetition"] = [_repetition(text) for text in responses["response"]]
    responses["empty"] = responses["response"].str.strip() == ""
    responses["undecided"] = is_undecided(responses)
    texts = pd.concat([part.assign(half=i) for i, part in enumerate(read)], ignore_index=True)
    rows: list[dict[str, object]] = []

    def describe(ablated: str, condition: str, names: Sequence[str], *tables: pd.DataFrame) -> None:
        chosen = [table[table["condition"].isin(list(names))] for table in tables]
        interval = _divergence(chosen[1], settings=settings)
        rows.append({"ablated": ablated, "condition": condition, **_written(chosen[0], ablated), **interval})

    describe("", INTACT, [INTACT], responses, texts)
    for task in tasks:
        where = [i for i, half in enumerate(halves) if task in half.conditions]
        if not where:
            continue
        own = [_named_alike(table, halves, task, where) for table in (responses, texts)]
        names = halves[where[0]].names(task).values()
        draws = {kind: [name for name in names if name.startswith(f"{kind}/")] for kind in CONTROLS}
        describe(task, "removed", [task], *own)
        by_name = own[1].groupby("condition")[["kl", "tokens"]].sum()
        kl = by_name["kl"] / by_name["tokens"]
        if len(kl):
            rows[-1]["p_kl"] = max(permutation_p(kl[task], kl[each].to_numpy()) for each in draws.values())
        for kind, each in draws.items():
            describe(task, kind, each, *own)
    return pd.DataFrame(rows)


def _named_alike(
    table: pd.DataFrame, halves: Sequence[HalfAnswers], task: str, where: Sequence[int]
) -> pd.DataFrame:
    """The rows of the conditions that bear on a task, each by its name among all halves."""
    parts: list[pd.DataFrame] = []
    for i in where:
        names = halves[i].names(task)
        part = table[(table["half"] == i) & table["condition"].isin(list(names))]
        parts.append(part.assign(condition=part["condition"].map(names)))
    return pd.concat(parts, ignore_index=True)


def _written(responses: pd.DataFrame, ablated: str) -> dict[str, object]:
    off_task = responses[responses["task"] != ablated]
    return {
        "n": len(responses),
        **{
            name: float(responses[name].mean())
            for name in ("n_tokens", "repetition", "truncated", "empty", "undecided")
        },
        "compliance_off_task": float(off_task["satisfied"].mean()) if len(off_task) else np.nan,
    }


def _divergence(texts: pd.DataFrame, *, settings: AnalysisSettings) -> dict[str, object]:
    """Divergence per token with its interval over base queries, and perplexity; NaN without texts."""
    if texts.empty:
        nothing = dict.fromkeys(("kl", "low", "high", "p_kl", "perplexity"), np.nan)
        return {**nothing, "n_texts": 0}
    sums = texts.groupby("base_query")[["kl", "nll", "tokens"]].sum()
    kl, nll, tokens = (sums[name].to_numpy(dtype=np.float64) for name in ("kl", "nll", "tokens"))
    draws = bootstrap_draws(
        np.arange(len(sums)),
        lambda w: (w @ kl) / (w @ tokens),
        n_resamples=settings.n_bootstrap,
        seed=settings.seed,
    )
    estimate = float(kl.sum() / tokens.sum())
    interval = interval_of(estimate, draws, n_groups=len(sums), confidence=1 - settings.alpha)
    return {
        "kl": estimate,
        "low": interval.low,
        "high": interval.high,
        "p_kl": np.nan,
        "perplexity": float(np.exp(nll.sum() / tokens.sum())),
        "n_texts": len(sums),
    }


def _repetition(text: str) -> float:
    """Share of the word pairs of a text that occurred in it before; 0 for fewer than two pairs."""
    pairs = list(pairwise(text.split()))
    return 1 - len(set(pairs)) / len(pairs) if pairs else 0.0
