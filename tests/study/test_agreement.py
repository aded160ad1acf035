"""Agreement of two judges, and verdicts on agreed labels: a response in dispute takes part in nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, cast

import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from if_circuits.activations.captured import CapturedActivations
from if_circuits.engine.in_process import InProcess
from if_circuits.study.agreement import agreed, agreement_table, second_verdicts, verdicts_on
from if_circuits.tasks.judges.choice import second_judges
from tests.analyses.planted import SETTINGS, small_study

JUDGES = {"sentiment": "hf:somebody/classifier"}
PRAISE, BLAME, NOTHING = "A wonderful, lovely day!", "It was awful and we hated it.", "The lamp is on."


def rows() -> pd.DataFrame:
    """Of each text, what the first judge is taken to say of it, the prompt having asked for praise."""
    said = [(PRAISE, "satisfied"), (BLAME, "violated"), (PRAISE, "violated"), (BLAME, "satisfied")]
    said += [(PRAISE, "satisfied"), (NOTHING, "satisfied"), (PRAISE, "undecided")]
    table = pd.DataFrame(said, columns=["response", "verdict"]).assign(
        task="sentiment", parameters=json.dumps({"sentiment": "positive"}), constrained=True, temperature=1.0
    )
    counted = pd.DataFrame(
        {
            "response": ["One two three.", PRAISE, PRAISE],
            "verdict": ["satisfied", "violated", "violated"],
            "task": ["word_count", "sentiment", "sentiment"],
            "parameters": [json.dumps({"n": 3}), *[json.dumps({"sentiment": "positive"})] * 2],
            "constrained": [True, False, True],
            "temperature": [1.0, 1.0, 0.0],
        }
    )
    return pd.concat([table, counted], ignore_index=True)


def test_the_table_counts_what_two_judges_say_of_sampled_constrained_responses():
    second = second_verdicts(rows(), JUDGES)
    assert second.isna().tolist() == [False] * 7 + [True, False, False]
    (found,) = agreement_table(rows(), second, JUDGES).to_dict("records")
    assert found["second_judge"] == "opinion-terms"
    assert [found[name] for name in ("both_satisfied", "both_violated")] == [2, 1]
    assert [found[name] for name in ("satisfied_violated", "violated_satisfied")] == [2, 1]
    assert found["n"] == 6
    assert found["same_label"] == pytest.approx(3 / 6)
    assert found["second_undecided"] == 0
    assert found["kappa"] == pytest.approx(cohen_kappa_score(rows()["verdict"][:6], second[:6]))


def test_no_table_without_a_second_judge():
    judges = {"mood": "thermometer"}
    assert second_judges(judges) == {}
    assert agreement_table(rows(), second_verdicts(rows(), judges), judges).empty


def test_the_second_judge_is_never_the_first():
    first = {"sentiment": "opinion-terms", "register": "register-encoder", "mood": "thermometer"}
    second = second_judges(first)
    assert second["register"] == "register-lexicon"
    assert "mood" not in second
    assert all(second[what] != judge for what, judge in first.items() if what in second)


@dataclass(frozen=True)
class Names:
    """A store that knows the responses and is never read."""

    response_ids: tuple[str, ...]
    not_finite: tuple[str, ...] = ()


def captured(table: pd.DataFrame, **more: Any) -> CapturedActivations:
    table = table.assign(response_id=[f"r{index}" for index in range(len(table))], reason="", base_query="q")
    return CapturedActivations(table, cast(Any, Names(tuple(table["response_id"]))), **more)


def test_responses_in_dispute_are_undecided_and_pairs_with_one_are_left_out():
    asked = [json.dumps({"sentiment": sentiment}) for sentiment in ("positive", "negative")]
    pairs = pd.DataFrame(
        {
            "pair": ["sound", "sound", "disputed", "disputed"],
            "response": [PRAISE, PRAISE, BLAME, BLAME],
            "verdict": ["satisfied", "violated"] * 2,
            "parameters": asked * 2,
            "task": "sentiment",
        }
    )
    source = captured(rows(), counterfactual=captured(pairs))
    found = agreed(source, second_verdicts(source.responses, JUDGES), JUDGES)
    same = found.responses["verdict"] == source.responses["verdict"]
    assert same.tolist() == [True, True, False, False, True, False, True, True, False, False]
    assert set(found.responses["verdict"][~same]) == {"undecided"}
    assert found.counterfactual is not None
    assert set(found.counterfactual.responses["pair"]) == {"sound"}
    assert source.responses["verdict"].tolist() == rows()["verdict"].tolist()


def test_where_too_little_is_left_the_reason_is_said_and_the_numbers_describe():
    source = small_study("separate", n_base_queries=9, samples=12, signal=6.0)
    source.responses["temperature"] = 1.0
    few: Any = replace(SETTINGS, n_bootstrap=50, n_permutations=64, n_folds=3)
    found = verdicts_on(cast(Any, source), ["specialist_vs_general", "causal_ablation"], few)
    (row,) = found.to_dict("records")  # what needs the model is not repeated
    assert row["analysis"] == "specialist_vs_general"
    assert row["verdict"] == "inconclusive"
    assert "can have no verdict" in row["reason"]
    assert row["low"] < row["effect"] < row["high"]


def test_the_engine_carries_out_what_the_analyses_fit():
    done: list[str] = []

    class Counting(InProcess):
        def completed(self, function: Any, units: Any) -> Any:
            done.extend(str(unit) for unit in units)
            return super().completed(function, units)

    source: Any = small_study("separate", n_base_queries=12, samples=12, signal=6.0)
    source.responses["temperature"] = 1.0
    few: Any = replace(SETTINGS, n_bootstrap=50, n_permutations=64, n_folds=3)
    alone = verdicts_on(source, ["layer_stratification"], few)
    assert not done
    shared = verdicts_on(source, ["layer_stratification"], few, engine=Counting())
    assert len(done) >= len(source.layers)
    pd.testing.assert_frame_equal(shared, alone)
