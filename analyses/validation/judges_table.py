"""The judges as the table of a page: each judge on each set of labelled texts, and what chose it.

    python -m if_circuits.analyses.validation.judges_table DATA docs/judges.md measured.json

puts it between `<!-- judges: start -->` and `<!-- judges: end -->` of that page, the control texts
between those of `judges on control texts`, and what reports show into the JSON file, which ships as
`if_circuits/assets/judges/measured.json`. DATA is the folder of labelled sets. The word lists are measured
here; what is said of the heads on an encoder is what `fitting` measured on texts held out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from if_circuits.analyses.validation.marked_table import insert_table
from if_circuits.io.durable import write_text
from if_circuits.tasks.judges.choice import choose_judges
from if_circuits.tasks.judges.control import SIDES, ControlScore, measure_on_pairs, measure_on_topics
from if_circuits.tasks.judges.heads import head_record
from if_circuits.tasks.judges.labelled import SOURCES, read_labelled
from if_circuits.tasks.judges.measurement import JudgeScore, measure_judge
from if_circuits.tasks.judges.report import POSITIVE
from if_circuits.tasks.judges.topics import TopicEncoder

WORD_LISTS = {
    "register": ["register-lexicon"],
    "sentiment": ["opinion-terms", "vader"],
    "toxicity": ["hostility-terms", "insult-lexicon"],
}
_CHOSE = {
    "held_out": "the other texts of the set, by cross-validation",
    "nested": "cross-validation inside the nine tenths that do not hold the text",
    "opinion-terms": "variants by one half of the set",
    "hostility-terms": "variants by one half of the set",
}
_NUMBERS = ("auroc", "pearson", "accuracy", "right", "undecided")


def judges_markdown(data: Path) -> tuple[str, dict[str, dict[str, Any]]]:
    """One row a judge and set; and what of it a report shows, by judge."""
    measured: dict[str, dict[str, Any]] = {}
    lines = [
        "| property | judge | labelled texts | what chose it | n | AUROC | correlation | accuracy | "
        "right of the decided | undecided |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for what, names in WORD_LISTS.items():
        record = head_record(what)
        lines += [_row(what, _recorded(record[part]), _set(what, part), _CHOSE[part]) for part in _PARTS]
        measured[f"{what}-encoder"] = _shown(_recorded(record["nested"]), SOURCES[what].title)
        labelled = read_labelled(what, data)
        held_out = labelled.held_out
        texts, labels, groups = (
            [each for each, taken in zip(column, held_out, strict=True) if taken]
            for column in (labelled.texts, labelled.labels, labelled.groups)
        )
        for name in names:
            judge = choose_judges([what], [(what, name)])[what]
            score = measure_judge(judge, texts, labels, positive=POSITIVE[what], groups=groups)
            lines.append(_row(what, score, _set(what, "held_out"), _CHOSE.get(name, "nothing")))
            measured[name] = _shown(score, SOURCES[what].title)
    topic, texts_of_topic = _recorded(head_record("topic")["held_out"]), "requests of four domains"
    measured["topic-encoder"] = _shown(topic, texts_of_topic)
    lines.append(
        _row(
            "topic",
            topic,
            f"{texts_of_topic}, each domain against the others",
            "the zone by six other domains, the rest with all ten in view",
        )
    )
    return "\n".join(lines) + "\n", measured


def control_markdown() -> str:
    """One row a judge."""
    lines = [
        "| property | judge | pairs | first text scores higher [95 %] | right of the decided | undecided |",
        "|---|---|---|---|---|---|",
    ]
    for what in SIDES:
        for name in (f"{what}-encoder", *WORD_LISTS[what]):
            lines.append(
                _control_row(what, measure_on_pairs(choose_judges([what], [(what, name)])[what], what))
            )
    judge = TopicEncoder()
    lines.append(_control_row("topic", measure_on_topics(judge, name=judge.name)))
    return "\n".join(lines) + "\n"


def _shown(score: JudgeScore, texts: str) -> dict[str, Any]:
    numbers = {name: getattr(score, name) for name in ("auroc", "right", "sensitivity", "specificity")}
    return {"texts": texts, "n": score.n, **{name: round(value, 4) for name, value in numbers.items()}}


_PARTS = ("held_out", "nested")


def _set(what: str, part: str) -> str:
    return f"{SOURCES[what].title}, {'held out' if part == 'held_out' else 'all'}"


def _recorded(values: dict[str, Any]) -> JudgeScore:
    return JudgeScore(**{field.name: values[field.name] for field in fields(JudgeScore)})


def _row(what: str, score: JudgeScore, texts: str, chose: str) -> str:
    numbers = " | ".join(score.markdown(name) for name in _NUMBERS)
    return f"| {what} | `{score.judge}` | {texts} | {chose} | {score.n} | {numbers} |"


def _control_row(what: str, score: ControlScore) -> str:
    low, high = score.ordered_interval
    return (
        f"| {what} | `{score.judge}` | {score.n_pairs} | {score.ordered:.3f} [{low:.3f}, {high:.3f}] | "
        f"{score.right:.3f} | {score.undecided:.3f} |"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the judges and write both tables."""
    parser = argparse.ArgumentParser(description="Measure the judges and write the tables of a page.")
    parser.add_argument("data", type=Path, help="folder of the labelled sets")
    parser.add_argument("page", type=Path)
    parser.add_argument("measured", type=Path, help="JSON file for what reports show")
    parsed = parser.parse_args(arguments)
    table, measured = judges_markdown(parsed.data)
    text = insert_table(parsed.page.read_text("utf-8"), table, name="judges")
    write_text(parsed.page, insert_table(text, control_markdown(), name="judges on control texts"))
    write_text(parsed.measured, json.dumps(measured, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
