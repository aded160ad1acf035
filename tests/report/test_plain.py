"""What a card says in plain words of a verdict."""

from if_circuits.analyses.base import Verdict
from if_circuits.report.plain import sentence


def test_an_interval_that_leaves_out_its_mark_and_yet_decides_nothing_says_why() -> None:
    notes = ("only 4 tasks of 2 families are carried", "something else")
    found = Verdict("a claim", "inconclusive", -0.3, (-0.8, -0.2), 0.7, 55, "a rule", notes)
    said = sentence("localisation", found)
    assert said.endswith("the rule below asks for more: only 4 tasks of 2 families are carried.")
    open_ended = Verdict("a claim", "inconclusive", 0.1, (-0.8, 0.2), 0.7, 55, "a rule", notes)
    assert "asks for more" not in sentence("localisation", open_ended)
