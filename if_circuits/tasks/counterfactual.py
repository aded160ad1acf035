"""Counterfactual labels: one response under two prompts, whose constraints it satisfies and breaks.

The text is held fixed within a pair, and over all pairs of a task both labels see the same parameters, in
another assignment. So neither the response nor the prompt alone can carry the label, only their relation.
They see the same parameters within each block of base queries, too. A block is a fold of the probes: were
labels balanced over all folds only, a parameter that is mostly satisfied in the training folds would be
mostly violated in the held-out one, and a probe of the prompt would fall below chance.

One difference remains: most satisfied rows have the prompt that the response was written to, and most
violated ones a prompt that it was not. A probe that reads the model's surprise would tell some of them apart
(term_exclusion excepted, where neither prompt is the response's own).

How a task's pairs are made is a field of the task, or of each of its grades (`task.Exchange`,
`NearestBounds`, `Opposite`); nothing is exchanged between grades. A bound cannot be balanced as above: a text
breaks only smaller upper bounds than it satisfies, and larger lower ones. Its pairs take the nearest bounds
on both sides, and what the bound alone still tells is for the prompt's baseline to show.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import cast

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int, Shaped
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from if_circuits.tasks.judges.base import Judge
from if_circuits.tasks.judges.choice import default_judges
from if_circuits.tasks.labels import Label, is_satisfied, is_undecided, is_violated
from if_circuits.tasks.registry import get_task
from if_circuits.tasks.suites.choice import CONTROLLED, get_suite
from if_circuits.tasks.suites.suite import Grade, Suite
from if_circuits.tasks.task import Exchange, NearestBounds, Opposite, Parameters, Task


def counterfactual_pairs(
    responses: pd.DataFrame,
    judges: Mapping[str, Judge] | None = None,
    *,
    seed: int = 0,
    block_of: Mapping[str, int] | None = None,
    pairs_per_task: int | None = None,
    suite: Suite | None = None,
) -> pd.DataFrame:
    """Two rows a pair, of equal `pair` and response: one satisfied, one violated.

    `responses` are verified (columns as in a study's responses.parquet); the constrained ones that comply are
    used (for an `Opposite` those that do not, too), at most `pairs_per_task` of each task, spread evenly over
    its grades and over base queries. Parameters are exchanged between base queries of one block, by default
    all. The prompts are of `suite`, by default of the controlled one. Each row has a prompt and parameters of
    its own; `prompt_tokens` is left to the caller, who has the tokenizer. A task with neither parameters nor
    an opposite has no counterfactual and no rows.
    """
    judges = default_judges() if judges is None else judges
    suite = get_suite(CONTROLLED) if suite is None else suite
    usable = responses[responses["constrained"] & ~is_undecided(responses)]
    usable = usable.drop(columns=["prompt_tokens", "prompt_id", "reason", "answer"], errors="ignore")
    parts: list[pd.DataFrame] = []
    for name, of_task in usable.groupby("task", sort=False):
        by_grade = dict(list(of_task.groupby("grade", sort=False))) if "grade" in of_task else {"": of_task}
        limit = None if pairs_per_task is None else pairs_per_task // len(by_grade)
        for grade, rows in by_grade.items():
            wording = _Wording(get_task(str(name)), suite.grade(get_task(str(name)), str(grade)), suite)
            blocks = rows["base_query"].map(block_of or {}).fillna(-1)
            match wording.grade.counterfactual:
                case Exchange() as how:
                    rows = rows[is_satisfied(rows)]
                    anchors = _anchors(wording, how, rows, seed=seed)
                    rows = _spread(rows[anchors.notna()], limit, seed=seed)
                    own_anchors = anchors[rows.index].tolist()
                    parts.append(
                        _exchanged(wording, how, rows, own_anchors, blocks[rows.index].to_numpy(), judges)
                    )
                case NearestBounds() as how:
                    rows = _spread(rows[is_satisfied(rows)], limit, seed=seed)
                    parts.append(_nearest_bounds(wording, how, rows))
                case Opposite() as how:
                    rows = rows[_turns(wording.task, how, rows, judges)]
                    parts.append(_opposite(wording, how, rows, blocks[rows.index], limit, seed=seed))
    return pd.concat([usable.iloc[:0].assign(pair="", labels=""), *parts], ignore_index=True)


@dataclass(frozen=True)
class _Wording:
    """How the constraint of some rows is worded and verified."""

    task: Task
    grade: Grade
    suite: Suite

    def subject(self, base_query: object) -> str:
        return self.suite.query(str(base_query)).subject


def _spread(rows: pd.DataFrame, limit: int | None, *, seed: int) -> pd.DataFrame:
    """Up to `limit` of the rows, in random order, as evenly over base queries as they allow."""
    rows = rows.sample(frac=1.0, random_state=np.random.default_rng(seed))
    turn = rows.groupby("base_query").cumcount().to_numpy()
    return rows if limit is None else rows.iloc[np.argsort(turn, kind="stable")[:limit]]


def _exchanged(
    wording: _Wording,
    how: Exchange,
    rows: pd.DataFrame,
    anchors: list[str],
    blocks: Shaped[np.ndarray, " n"],
    judges: Mapping[str, Judge],
) -> pd.DataFrame:
    """Every row under its anchor and under another row's anchor of the same block."""
    satisfied, violated = _labels(wording, how, rows, anchors, judges)
    # An anchor's own verdict is known; its partner must have the other one.
    anchored_satisfied = np.diag(satisfied)
    opposite = np.where(anchored_satisfied[:, None], violated, satisfied)
    partner = _permutation(opposite & (blocks[:, None] == blocks))
    kept = np.flatnonzero(partner >= 0)
    pairs: list[pd.DataFrame] = []
    for own in (True, False):
        chosen = kept if own else partner[kept]
        verdict = np.where(anchored_satisfied[kept] == own, Label.SATISFIED.value, Label.VIOLATED.value)
        pairs.append(_rows(wording, rows.iloc[kept], [anchors[index] for index in chosen], verdict))
    return pd.concat(pairs, ignore_index=True)


def _nearest_bounds(wording: _Wording, how: NearestBounds, rows: pd.DataFrame) -> pd.DataFrame:
    bounds = [how.around(str(response)) for response in rows["response"]]
    rows = rows[np.array([each is not None for each in bounds], dtype=bool)]
    found = [each for each in bounds if each is not None]
    return pd.concat(
        [
            _rows(wording, rows, [_text(each[side]) for each in found], np.full(len(rows), label.value))
            for side, label in enumerate((Label.SATISFIED, Label.VIOLATED))
        ],
        ignore_index=True,
    )


def _turns(
    task: Task, how: Opposite, rows: pd.DataFrame, judges: Mapping[str, Judge]
) -> Bool[np.ndarray, " n"]:
    """Whether the opposite gives each response the other label: a neutral text breaks both tones."""
    if how.parameters is None:
        return np.ones(len(rows), dtype=bool)
    found = task.verify([str(text) for text in rows["response"]], [how.parameters] * len(rows), judges)
    turned = np.where(is_satisfied(rows), Label.VIOLATED.value, Label.SATISFIED.value)
    return np.array([each.label.value for each in found]) == turned


def _opposite(
    wording: _Wording,
    how: Opposite,
    rows: pd.DataFrame,
    blocks: pd.Series[int],
    limit: int | None,
    *,
    seed: int,
) -> pd.DataFrame:
    """Rows of both labels, equally many in every block, each under its own and under the opposite prompt."""
    half = None if limit is None else limit // 2
    sides = [_spread(rows[chosen], None, seed=seed) for chosen in (is_satisfied(rows), is_violated(rows))]
    counts = [blocks[side.index].value_counts() for side in sides]
    kept: list[pd.DataFrame] = []
    for side in sides:
        block = blocks[side.index]
        place = side.groupby(block).cumcount()
        fewest = pd.concat(counts, axis=1).min(axis=1, skipna=False).fillna(0)
        kept.append(side[(place < block.map(fewest)).to_numpy()].iloc[:half])
    chosen = pd.concat(kept)
    own = chosen["verdict"].to_numpy()
    turned = np.where(is_satisfied(chosen), Label.VIOLATED.value, Label.SATISFIED.value)
    opposite = replace(wording, grade=replace(wording.grade, paraphrases=how.paraphrases))
    asked = chosen["parameters"].tolist()
    against = asked if how.parameters is None else [_text(how.parameters)] * len(chosen)
    return pd.concat(
        [_rows(wording, chosen, asked, own), _rows(opposite, chosen, against, turned)], ignore_index=True
    )


def _text(parameters: Parameters) -> str:
    return json.dumps(parameters, sort_keys=True)


def _anchors(wording: _Wording, how: Exchange, rows: pd.DataFrame, *, seed: int) -> pd.Series[str]:
    """Parameters that each response is first put under, as JSON; None where there are none."""
    if how.first is None:
        return rows["parameters"].where(rows["parameters"] != "{}", None)
    rng = Random(f"counterfactual:{seed}")
    found = [
        how.first(rng, str(response), wording.subject(query))
        for response, query in zip(rows["response"], rows["base_query"], strict=True)
    ]
    texts = [None if each is None else _text(each) for each in found]
    return pd.Series(texts, index=rows.index, dtype=object)


def _labels(
    wording: _Wording, how: Exchange, rows: pd.DataFrame, anchors: Sequence[str], judges: Mapping[str, Judge]
) -> tuple[Bool[np.ndarray, "n n"], Bool[np.ndarray, "n n"]]:
    """Whether response i satisfies, and whether it violates, the parameters of anchor j."""
    distinct = sorted(set(anchors))
    place = {text: index for index, text in enumerate(distinct)}
    texts = cast(list[str], rows["response"].tolist())
    column_of = np.array([place[text] for text in anchors], dtype=np.int64)
    satisfied = np.zeros((len(texts), len(distinct)), dtype=bool)
    violated = np.zeros_like(satisfied)
    for column, text in enumerate(distinct):
        parameters: Parameters = json.loads(text)
        found = wording.task.verify(texts, [parameters] * len(texts), judges)
        satisfied[:, column] = [each.label is Label.SATISFIED for each in found]
        violated[:, column] = [each.label is Label.VIOLATED for each in found]
        if how.never_subject is not None:
            same = (rows["base_query"].map(wording.subject) == parameters[how.never_subject]).to_numpy()
            satisfied[same, column] = violated[same, column] = False
    return satisfied[:, column_of], violated[:, column_of]


def _permutation(allowed: Bool[np.ndarray, "n n"]) -> Int[np.ndarray, " n"]:
    """For each row another row's anchor that it may be put under, each used once; -1 for rows left out.

    Rows are left out until those that remain exchange their anchors among themselves.
    """
    remaining = np.arange(len(allowed))
    while len(remaining):
        graph = csr_matrix(allowed[np.ix_(remaining, remaining)])
        matched = np.asarray(maximum_bipartite_matching(graph, perm_type="column"))
        if (matched >= 0).all():
            partner = np.full(len(allowed), -1, dtype=np.int64)
            partner[remaining] = remaining[matched]
            return partner
        taken = np.isin(np.arange(len(remaining)), matched)
        remaining = remaining[(matched >= 0) & taken]
    return np.full(len(allowed), -1, dtype=np.int64)


def _rows(wording: _Wording, rows: pd.DataFrame, parameters: list[str], verdict: np.ndarray) -> pd.DataFrame:
    prompts = [
        wording.grade.prompt(
            wording.suite.query(str(row.base_query)),
            json.loads(text),
            paraphrase=int(cast(int, row.paraphrase)),
        )
        for row, text in zip(rows.itertuples(), parameters, strict=True)
    ]
    return rows.assign(
        pair=rows["response_id"],
        response_id=[
            f"{identity}/{word}" for identity, word in zip(rows["response_id"], verdict, strict=True)
        ],
        parameters=parameters,
        prompt=prompts,
        verdict=verdict,
        labels="counterfactual",
    )
