"""What a study can say, told from its verdicts before anything is captured."""

from collections.abc import Mapping

import pandas as pd
import pytest

from if_circuits.analyses.base import ANALYSES
from if_circuits.study.outlook import NEEDS, shortages

FAMILIES = ("structural", "lexical", "semantic", "stylistic", "structural", "lexical")


def verified(counts: Mapping[str, tuple[int, int]], *, n_queries: int = 10) -> pd.DataFrame:
    """Responses of tasks, so many satisfied and so many violated, spread over base queries."""
    rows = [
        {
            "task": task,
            "family": FAMILIES[number],
            "base_query": f"q{i % n_queries}",
            "verdict": "satisfied" if i < satisfied else "violated",
        }
        for number, (task, (satisfied, violated)) in enumerate(counts.items())
        for i in range(satisfied + violated)
    ]
    return pd.DataFrame(rows).assign(constrained=True, temperature=1.0)


def test_every_analysis_says_what_it_needs():
    assert tuple(NEEDS) == ANALYSES


def test_enough_of_everything_has_no_shortage():
    assert shortages(verified({f"task {i}": (20, 20) for i in range(5)}), ANALYSES) == {}


def test_one_label_less_is_a_shortage():
    rows = verified({"a": (10, 30), "b": (9, 30)})
    found = shortages(rows, ["specialist_vs_general", "temporal_dynamics"])
    assert set(found) == {"specialist_vs_general"}
    assert "1 of 2 tasks have 10 satisfied and 10 violated responses, and 2 tasks are needed" in str(found)


@pytest.mark.parametrize(
    ("second", "base_queries"),
    [((5, 30), 20), ((30, 4), 25), ((3, 30), 34), ((0, 30), None)],
    ids=["half of it", "violated", "rounded up", "never satisfied"],
)
def test_base_queries_are_extrapolated_from_the_rarer_label(
    second: tuple[int, int], base_queries: int | None
):
    """10 base queries gave 5 of the rarer label: 20 give the 10 that are needed."""
    found = shortages(verified({"a": (10, 30), "b": second}), ["cross_task_transfer"])["cross_task_transfer"]
    assert found.base_queries == base_queries
    assert ("no number of base queries" in str(found)) == (base_queries is None)


def test_the_tasks_that_come_first_count():
    rows = verified({"a": (10, 30), "b": (0, 40), "c": (1, 39), "d": (5, 35)})
    assert shortages(rows, ["cross_task_transfer"])["cross_task_transfer"].base_queries == 20


def test_fewer_tasks_than_are_needed_can_be_had_at_no_size():
    found = shortages(verified({"a": (40, 40), "b": (40, 40)}), ANALYSES)
    assert found["layer_stratification"].base_queries is None
    assert set(found) == {
        "causal_ablation",
        "layer_stratification",
        "representational_similarity",
        "specificity",
    }


def test_families_count_where_they_are_needed():
    rows = verified({f"task {i}": (20, 20) for i in range(6)})
    rows["family"] = rows["family"].replace({"semantic": "lexical", "stylistic": "structural"})
    found = shortages(rows, ANALYSES)
    assert set(found) == {"layer_stratification"}
    assert "5 tasks of 3 families are needed" in str(found["layer_stratification"])


def test_twins_greedy_and_undecided_responses_are_no_labels():
    rows = verified({"a": (10, 30), "b": (10, 30)})
    for column, value in (("constrained", False), ("temperature", 0.0), ("verdict", "undecided")):
        changed = rows.copy()
        changed.loc[(rows["task"] == "b") & (rows["verdict"] == "satisfied"), column] = value
        assert set(shortages(changed, ["cross_task_transfer"])) == {"cross_task_transfer"}
