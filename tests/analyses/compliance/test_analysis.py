import math

import pandas as pd
import pytest

from if_circuits.analyses.compliance.analysis import compliance_table
from if_circuits.analyses.compliance.figure import compliance_figure
from if_circuits.plotting.style import OKABE_ITO, png_bytes

FAMILY_OF = {"topic": "semantic", "word_count": "structural", "rhyme": "sound", "metre": "verse"}


def responses(counts: dict[tuple[str, bool, float], dict[str, int]]) -> pd.DataFrame:
    rows = [
        {"task": task, "family": FAMILY_OF[task], "constrained": constrained,
         "temperature": temperature, "verdict": verdict,
         "base_query": f"q{i % 7}", "truncated": False}
        for (task, constrained, temperature), verdicts in counts.items()
        for verdict, n in verdicts.items()
        for i in range(n)
    ]  # fmt: skip
    return pd.DataFrame(rows)


TABLE = responses(
    {
        ("topic", True, 1.0): {"satisfied": 60, "violated": 30, "undecided": 10},
        ("topic", False, 1.0): {"satisfied": 10, "violated": 40},
        ("topic", True, 0.0): {"satisfied": 9, "violated": 1},
        ("word_count", True, 1.0): {"satisfied": 5, "violated": 95},
        ("word_count", False, 1.0): {"violated": 100},
    }
)


def test_undecided_is_not_satisfied_and_is_counted():
    topic = compliance_table(TABLE).set_index("task").loc["topic"]
    assert topic["constrained"] == pytest.approx(0.60)
    assert topic["unconstrained"] == pytest.approx(0.20)
    assert (topic["n"], topic["satisfied"], topic["violated"], topic["undecided"]) == (100, 60, 30, 10)
    assert topic["difference"] == pytest.approx(0.40)
    assert topic["low"] < topic["difference"] < topic["high"]


def test_each_share_has_an_interval_of_its_own_and_none_without_responses():
    table = compliance_table(TABLE)
    topic, word_count = table[table["task"] == "topic"], table[table["task"] == "word_count"]
    for share in ("constrained", "unconstrained", "greedy"):
        low, value, high = topic[[f"{share}_low", share, f"{share}_high"]].to_numpy(dtype=float)[0].tolist()
        assert low < value < high
    assert word_count[["greedy_low", "greedy_high"]].isna().all(axis=None)
    axes = compliance_figure(table).axes[0]
    assert len(axes.containers) == 5  # three shares of one task, two of the other


def test_greedy_responses_stay_apart_from_sampled_ones():
    table = compliance_table(TABLE).set_index("task")
    assert table.loc["topic", "greedy"] == pytest.approx(0.9)
    assert math.isnan(table.loc["word_count", "greedy"])


def test_tasks_at_the_floor_are_marked_and_ordered_as_in_figures():
    table = compliance_table(TABLE)
    assert table["task"].tolist() == ["word_count", "topic"]
    assert table["note"].tolist() == ["floor: 5 satisfied", ""]


def test_figure_names_each_task_with_its_n():
    figure = compliance_figure(compliance_table(TABLE))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["word count  (n = 100)", "topic  (n = 100)"]
    assert png_bytes(figure).startswith(b"\x89PNG")


def test_a_task_has_the_family_that_its_responses_say_and_a_colour_of_that_family():
    verdicts = {"satisfied": 30, "violated": 30}
    table = compliance_table(responses({(task, True, 1.0): verdicts for task in FAMILY_OF}))
    assert dict(zip(table["task"], table["family"], strict=True)) == FAMILY_OF
    assert table["task"].tolist() == ["word_count", "topic", "rhyme", "metre"]
    drawn = {
        line.get_color() for line in compliance_figure(table).axes[0].lines if line.get_label()[0] == "c"
    }
    assert len(drawn) == 4
    assert OKABE_ITO["grey"] not in drawn
