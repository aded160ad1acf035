import pandas as pd
import pytest

from if_circuits.analyses.ablation_damage import damage_table


def responses(texts: dict[str, list[str]]) -> pd.DataFrame:
    rows = [
        {
            "condition": condition,
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
    return pd.DataFrame(rows)


def test_each_kind_of_condition_is_described_by_its_own_responses():
    texts = {"intact": ["a b c", "d e"], "cut": ["", "a b a b a"], "g": ["a b", "c"], "v": ["x", ""]}
    table = damage_table([(responses(texts), {0: ("cut", "g", "v")})], ("topic", "register"))
    table = table.set_index("condition")
    assert table.index.tolist() == ["intact", "removed", "gaussian", "variance_matched"]
    assert table.loc["removed", "empty"] == 0.5
    assert table.loc["removed", "undecided"] == 0.5
    # Four pairs of words, two of them different; the empty response has none.
    assert table.loc["removed", "repetition"] == pytest.approx(0.25)
    assert table.loc["removed", "compliance_off_task"] == 1
    assert table.loc["variance_matched", "compliance_off_task"] == 0
    assert table.loc["gaussian", "n_tokens"] == 1.5


def test_a_control_that_two_tasks_share_is_described_for_both():
    texts = {"intact": ["a", "b"], "t": ["a", "b"], "r": ["a", "b"], "g": ["a b", "c d"], "v": ["x", "y"]}
    conditions = {0: ("t", "g", "v"), 1: ("r", "g", "v")}
    table = damage_table([(responses(texts), conditions)], ("topic", "register"))
    gaussian = table[table["condition"] == "gaussian"]
    assert gaussian["ablated"].tolist() == ["topic", "register"]
    assert gaussian["n_tokens"].tolist() == [2, 2]
