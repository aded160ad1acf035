from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from if_circuits.analyses.causal_ablation.damage import damage_table
from tests.analyses.planted import SETTINGS

DIVERGENCE = {"cut": 0.9, "g": 0.1, "v": 0.3, "t": 0.05}


def half(texts: dict[str, list[str]], removals: dict[str, str], pool: int = 0) -> SimpleNamespace:
    """Responses by condition; `removals` names the condition that removes a task, `pool` its controls."""
    names = {condition: task for task, condition in removals.items()}
    names |= {"g": f"gaussian/0/{pool}", "v": f"variance_matched/0/{pool}"}
    controls = {f"{kind}/0/{pool}": f"{kind}/0" for kind in ("gaussian", "variance_matched")}
    rows = [
        {
            "condition": names.get(condition, condition),
            "task": ("topic", "register")[i % 2],
            "response": text,
            "n_tokens": len(text.split()),
            "truncated": False,
            "verdict": "satisfied" if text else "undecided",
            "satisfied": float(bool(text)),
        }
        for condition, given in texts.items()
        for i, text in enumerate(given)
    ]
    read = [
        {"condition": names.get(condition, condition), "base_query": query, "tokens": 10}
        | {"kl": 10 * DIVERGENCE.get(condition, 0.0), "nll": 10 * np.log(5.0)}
        for condition in texts
        for query in ("a", "b", "c")
    ]
    return SimpleNamespace(
        responses=pd.DataFrame(rows),
        conditions=dict.fromkeys(names.get(condition, condition) for condition in texts),
        names=lambda task: {task: task, **controls},
        read=pd.DataFrame(read),
    )


def table(*halves: SimpleNamespace) -> pd.DataFrame:
    return damage_table(halves, [each.read for each in halves], ("topic", "register"), settings=SETTINGS)


def test_each_kind_of_condition_is_described_by_its_own_responses():
    texts = {"intact": ["a b c", "d e"], "cut": ["", "a b a b a"], "g": ["a b", "c"], "v": ["x", ""]}
    found = table(half(texts, {"topic": "cut"})).set_index("condition")
    assert found.index.tolist() == ["intact", "removed", "gaussian", "variance_matched"]
    assert found.loc["removed", "empty"] == 0.5
    assert found.loc["removed", "undecided"] == 0.5
    # Four pairs of words, two of them different; the empty response has none.
    assert found.loc["removed", "repetition"] == pytest.approx(0.25)
    assert found.loc["removed", "compliance_off_task"] == 1
    assert found.loc["variance_matched", "compliance_off_task"] == 0
    assert found.loc["gaussian", "n_tokens"] == 1.5


def test_divergence_is_per_token_and_ranked_among_the_controls():
    texts = {name: ["a", "b"] for name in ("intact", "cut", "t", "g", "v")}
    found = table(half(texts, {"topic": "cut", "register": "t"}))
    removed = found[found["condition"] == "removed"].set_index("ablated")
    assert removed.loc["topic", "kl"] == pytest.approx(0.9)
    assert removed.loc["topic", "p_kl"] == 0.5  # more than the one draw of each kind
    assert removed.loc["register", "p_kl"] == 1
    assert removed.loc["topic", "perplexity"] == pytest.approx(5.0)
    assert found.loc[found["condition"] == "intact", "kl"].item() == 0
    assert (found["low"] <= found["kl"] + 1e-12).all()


def test_a_control_that_two_tasks_share_is_described_for_both():
    texts = {"intact": ["a", "b"], "t": ["a", "b"], "r": ["a", "b"], "g": ["a b", "c d"], "v": ["x", "y"]}
    found = table(half(texts, {"topic": "t", "register": "r"}))
    gaussian = found[found["condition"] == "gaussian"]
    assert gaussian["ablated"].tolist() == ["topic", "register"]
    assert gaussian["n_tokens"].tolist() == [2, 2]


def test_each_half_s_own_controls_are_described_together():
    texts = {"intact": ["a", "b"], "cut": ["a", "b"], "g": ["a", "b"], "v": ["x", "y"]}
    longer = {**texts, "g": ["a b c", "d e f"]}
    found = table(half(texts, {"topic": "cut"}, pool=0), half(longer, {"topic": "cut"}, pool=1))
    assert found.set_index("condition").loc["gaussian", "n_tokens"] == 2
    assert found.set_index("condition").loc["gaussian", "n"] == 4
