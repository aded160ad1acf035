"""Tasks of families that are not ours, in every analysis that asks for families."""

import numpy as np
import pandas as pd
import pytest

from if_circuits.analyses.base import get_analysis
from if_circuits.analyses.shared.families import families_of
from if_circuits.analyses.validation.simulation.studies import FAMILY_OF, SimulatedActivations
from tests.analyses.planted import SETTINGS, small_study

NEW = {"term_exclusion": "sound", "register": "verse"}
"""Two tasks that a study declares to be of two other families."""


def study_of_new_families(*, pairs: bool = False) -> SimulatedActivations:
    source = small_study("separate", pairs=pairs)
    responses = source.responses
    responses["family"] = responses["family"].where(
        ~responses["task"].isin(list(NEW)), responses["task"].map(NEW)
    )
    return source


def test_families_come_from_the_data_ours_first_and_others_as_they_come():
    table = pd.DataFrame(
        {"task": ["rhyme", "topic", "metre", "haiku", "word_count", "topic"],
         "family": ["sound", "semantic", "verse", "semantic", "structural", "semantic"]}
    )  # fmt: skip
    assert list(families_of(table).items()) == [
        ("word_count", "structural"), ("topic", "semantic"), ("haiku", "semantic"), ("rhyme", "sound"),
        ("metre", "verse"),
    ]  # fmt: skip


def test_two_tasks_of_different_other_families_are_never_of_the_same_family():
    source = study_of_new_families()
    cells = get_analysis("cross_task_transfer").run(source, SETTINGS).table
    cells = cells[cells["reason"] == ""]
    across = cells[(cells["train_task"] == "term_exclusion") & (cells["task"] == "register")]
    assert across["within_family"].tolist() == [False]
    assert set(across["train_family"]) | set(across["family"]) == {"sound", "verse"}
    pairs = get_analysis("representational_similarity").run(source, SETTINGS).table
    families = {**FAMILY_OF, **NEW}
    same = [families[a] == families[b] for a, b in zip(pairs["task_a"], pairs["task_b"], strict=True)]
    assert pairs["same_family"].tolist() == same


def test_a_family_without_a_place_in_the_order_is_shown_and_no_part_of_the_trend():
    result = get_analysis("layer_stratification").run(study_of_new_families(), SETTINGS)
    emergence = result.tables["emergence"].set_index("task")
    assert emergence.loc[list(NEW), "family"].to_dict() == NEW
    (note,) = [note for note in result.verdict.notes if "not part of the trend" in note]
    assert "2 tasks of sound, verse" in note
    assert "of 7 tasks emerge" in " ".join(result.verdict.notes)
    titles = {axes.get_title() for axes in get_analysis("layer_stratification").figure(result).axes}
    assert {"sound, natural", "verse, natural", "structural, natural"} <= titles


@pytest.mark.parametrize("analysis", ["layer_stratification", "temporal_dynamics"])
def test_a_panel_without_labels_says_why(analysis: str):
    source = small_study("separate", pairs=True)
    responses = source.responses
    responses["family"] = np.where(responses["task"] == "toxicity", "manners", responses["family"])
    result = get_analysis(analysis).run(source, SETTINGS)
    (panel,) = [
        axes
        for axes in get_analysis(analysis).figure(result).axes
        if axes.get_title() == "manners, counterfactual"
    ]
    assert "toxicity: it has no parameters" in " ".join(
        " ".join(text.get_text() for text in panel.texts).split()
    )
