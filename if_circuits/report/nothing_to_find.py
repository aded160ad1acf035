"""What a report says of its verdicts where there is nothing to find: labels exchanged, weights drawn anew."""

from __future__ import annotations

from collections.abc import Iterator

from if_circuits.analyses.shared.null_rates import null_rates
from if_circuits.plotting.style import task_label
from if_circuits.report.facts import NOT_DONE, StudyFacts

_NULLS = {
    "labels": "Labels exchanged between whole base queries",
    "untrained": "The same responses read by the model with weights drawn anew",
}


def null_sentences(facts: StudyFacts) -> Iterator[str]:
    """One sentence a null: how often each claim is called supported in it."""
    for null, what in _NULLS.items():
        drawn = None if facts.nulls is None else facts.nulls[facts.nulls["null"] == null]
        if drawn is None or drawn.empty:
            yield f"{what}: {NOT_DONE} (`if-circuits analyse DIR --null {null}` draws it)."
            continue
        told = [
            f"{task_label(row['analysis'])} {row['supported']} of {row['draws']} "
            f"[{row['low']:.2f}, {row['high']:.2f}]"
            for row in null_rates(drawn).to_dict("records")
        ]
        yield f"{what}, claims called supported: {', '.join(told)}."
