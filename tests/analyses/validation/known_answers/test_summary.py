from __future__ import annotations

import pandas as pd

from if_circuits.analyses.validation.known_answers.summary import agreement, summarise
from tests.analyses.validation.known_answers.test_answers import VERDICTS, answers_of, mechanism_of


def test_the_summary_has_planted_and_found_for_every_question() -> None:
    found = answers_of("compositional").reset_index().assign(model="one", kind="compositional")
    summary = summarise(found, {"one": mechanism_of("compositional")})
    model = summary["models"]["one"]
    assert (model["planted"], model["found"]) == ("compositional", "compositional")
    assert set(model["analyses"]) == set(found["question"]) - {"mechanism"}
    assert set(VERDICTS) <= set(model["analyses"])
    for answer in model["analyses"].values():
        assert {"planted", "found", "effect", "interval"} <= set(answer)
    # No edge was planted and none was found: a share of nothing has no number.
    assert model["analyses"]["edges in behaviour: precision"]["effect"] is None


def test_models_of_a_kind_are_counted_together() -> None:
    right = answers_of("universal").reset_index().assign(model="a", kind="universal")
    wrong = right.assign(model="b", right="wrong")
    counted = agreement(pd.concat([right, right, wrong])).set_index("question").loc["mechanism"]
    assert counted[["right", "undecided", "wrong", "models"]].tolist() == [2, 0, 1, 3]
    assert counted["low"] < 2 / 3 < counted["high"]
