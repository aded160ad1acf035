"""Counterfactual pairs: one text, two prompts, opposite verdicts, and nothing else to tell them apart."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from random import Random

import numpy as np
import pandas as pd
import pytest

from if_circuits.planting.if_tiny.corpus import compliant
from if_circuits.probes.across_folds import fit_across_folds
from if_circuits.probes.baselines import token_counts
from if_circuits.probes.folds import grouped_folds
from if_circuits.statistics.auroc import auroc
from if_circuits.tasks.counterfactual import counterfactual_pairs
from if_circuits.tasks.judges.choice import default_judges
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.queries import subjects
from if_circuits.tasks.registry import get_task, get_tasks
from if_circuits.tasks.task import Opposite
from if_circuits.tasks.verification import verify

NOUNS = subjects(held_out_only=False)
JUDGES = default_judges()


@pytest.fixture(scope="module")
def responses() -> pd.DataFrame:
    prompts = build_prompts(get_tasks(), n_base_queries=25, held_out_only=True)
    prompts = prompts[prompts.constrained].reset_index(drop=True)
    rng = Random(0)
    texts = [
        compliant(
            rng, get_task(row.task), row.base_query, json.loads(row.parameters), nouns=NOUNS, judges=JUDGES
        ).text
        for row in prompts.itertuples()
    ]
    return verify(prompts.assign(response=texts, response_id=prompts.prompt_id), JUDGES)


@pytest.fixture(scope="module")
def pairs(responses: pd.DataFrame) -> pd.DataFrame:
    return counterfactual_pairs(responses, JUDGES)


def test_every_pair_is_one_text_under_two_prompts_with_opposite_verdicts(pairs: pd.DataFrame) -> None:
    for _, pair in pairs.groupby("pair"):
        assert pair.response.nunique() == 1
        assert pair.base_query.nunique() == 1
        assert pair.prompt.nunique() == 2
        assert sorted(pair.verdict) == ["satisfied", "violated"]


def test_the_verifier_agrees_with_every_label(pairs: pd.DataFrame) -> None:
    assert verify(pairs, JUDGES).verdict.tolist() == pairs.verdict.tolist()


def test_both_labels_see_the_same_parameters_and_wordings(pairs: pd.DataFrame) -> None:
    """Whatever classifier reads the prompt's constraint alone stays at chance."""
    for _, rows in pairs[pairs.task != "character_count"].groupby("task"):
        by_label = {label: part for label, part in rows.groupby("verdict")}
        for column in ("parameters", "paraphrase", "response", "base_query"):
            satisfied, violated = (sorted(by_label[label][column]) for label in ("satisfied", "violated"))
            assert satisfied == violated, column


def test_bounds_lie_next_to_the_length_on_both_sides(pairs: pd.DataFrame) -> None:
    for _, pair in pairs[pairs.task == "character_count"].groupby("pair"):
        length = len(pair.response.iloc[0])
        below, above = sorted(json.loads(text)["n"] for text in pair.parameters)
        assert below <= length < above == below + 10


def test_every_task_with_parameters_keeps_most_of_its_responses(
    responses: pd.DataFrame, pairs: pd.DataFrame
) -> None:
    kept = pairs.groupby("task").pair.nunique() / responses.groupby("task").size()
    assert kept.isna().sum() == 1
    assert pd.isna(kept["toxicity"])
    # A text that uses no other known noun has no word that an exclusion could forbid instead.
    assert kept["term_exclusion"] > 0.4
    assert kept.drop(["toxicity", "term_exclusion"]).min() > 0.8


def test_an_excluded_word_is_never_the_subject(pairs: pd.DataFrame) -> None:
    exclusion = pairs[pairs.task == "term_exclusion"]
    assert len(exclusion) > 0
    assert not any(json.loads(row.parameters)["word"] == row.base_query for row in exclusion.itertuples())


def test_pairs_are_seeded(responses: pd.DataFrame) -> None:
    again, other = counterfactual_pairs(responses, JUDGES), counterfactual_pairs(responses, JUDGES, seed=1)
    assert again.equals(counterfactual_pairs(responses, JUDGES))
    assert again.prompt.tolist() != other.prompt.tolist()


def test_without_compliant_responses_there_are_no_pairs(responses: pd.DataFrame) -> None:
    assert len(counterfactual_pairs(responses.assign(verdict="violated"), JUDGES)) == 0


def test_both_labels_see_the_same_parameters_within_every_block(responses: pd.DataFrame) -> None:
    """Else a parameter mostly satisfied in some folds is mostly violated in the others."""
    block_of = {name: index % 3 for index, name in enumerate(sorted(responses.base_query.unique()))}
    pairs = counterfactual_pairs(responses, JUDGES, block_of=block_of)
    pairs = pairs[pairs.task != "character_count"]
    assert pairs.pair.nunique() > 200
    for _, rows in pairs.groupby([pairs.task, pairs.base_query.map(block_of)]):
        by_label = {label: sorted(part.parameters) for label, part in rows.groupby("verdict")}
        assert by_label["satisfied"] == by_label["violated"]


def test_fewer_pairs_are_spread_over_the_base_queries(responses: pd.DataFrame) -> None:
    few = counterfactual_pairs(responses, JUDGES, pairs_per_task=50)
    assert few.groupby("task").pair.nunique().max() == 50
    counts = few[few.task == "character_count"].groupby("base_query").pair.nunique()
    assert len(counts) == 25
    assert set(counts) == {2}


def test_neither_the_words_of_the_prompt_nor_of_the_response_predict_the_label(
    responses: pd.DataFrame,
) -> None:
    names = sorted(responses.base_query.unique())
    folds = grouped_folds(names, n_folds=5, seed=0)
    pairs = counterfactual_pairs(responses, JUDGES, block_of=dict(zip(names, folds.tolist(), strict=True)))
    for task, rows in pairs[pairs.task != "character_count"].groupby("task"):
        labels = (rows.verdict == "satisfied").to_numpy()
        fold_of_row = folds[np.searchsorted(names, rows.base_query.tolist())]
        for column in ("prompt", "response"):
            texts = [re.findall(r"\w+", text) for text in rows[column]]
            number = {
                word: index for index, word in enumerate(sorted({word for text in texts for word in text}))
            }
            assert len(number) > 5
            X = token_counts([[[number[word] for word in text] for text in texts]])
            everything = np.ones((len(X), 1), dtype=bool)
            found = fit_across_folds(X, labels, fold_of_row=fold_of_row, train=everything, Cs=[0.1])
            value = auroc(labels, found.scores[:, 0], strata=fold_of_row)
            assert value == pytest.approx(0.5, abs=0.04), (task, column)


def test_an_opposite_balances_prompts_and_responses_within_every_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A task without parameters, with satisfied and violated responses and a wording of the opposite."""
    toxicity = get_task("toxicity")
    opposite = Opposite(tuple(f"Be rude, way {i}." for i in range(len(toxicity.paraphrases))))
    declared = replace(toxicity, counterfactual=opposite)
    monkeypatch.setattr("if_circuits.tasks.counterfactual.get_task", lambda _: declared)
    rows = pd.DataFrame(
        {
            "response_id": [f"r{i}" for i in range(90)], "task": "toxicity", "family": "semantic",
            "base_query": np.repeat(NOUNS[:9], 10), "paraphrase": 0, "parameters": "{}", "constrained": True,
            "response": [f"text {i}" for i in range(90)],
            "verdict": np.where(np.arange(90) % 3 == 0, "violated", "satisfied"),
        }
    )  # fmt: skip
    block_of = {noun: i % 2 for i, noun in enumerate(NOUNS[:9])}
    pairs = counterfactual_pairs(rows, JUDGES, block_of=block_of)
    assert pairs["pair"].nunique() == 60
    assert set(pairs.groupby("pair")["verdict"].nunique()) == {2}
    rude = pairs["prompt"].str.contains("rude, way")
    shares = (pairs["verdict"] == "satisfied").groupby([pairs["base_query"].map(block_of), rude]).mean()
    assert shares.tolist() == [0.5] * 4
    few = counterfactual_pairs(rows, JUDGES, block_of=block_of, pairs_per_task=20)
    assert few["pair"].nunique() == 20
