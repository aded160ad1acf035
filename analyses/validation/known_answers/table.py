"""The known answers as the table of a page: per question and kind, what was planted, found, how often right.

    python -m if_circuits.analyses.validation.known_answers.table SUMMARY.json ... docs/known-answers.md

puts it between the markers `<!-- known answers: start -->` and `<!-- known answers: end -->` of that file.
Several summaries, of further training seeds, are counted together; what is shown as found is the first
model's of a kind. The last column is the error of the answer: how often it was wrong, over all kinds.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from if_circuits.analyses.validation.marked_table import insert_table
from if_circuits.errors import InputError
from if_circuits.io.durable import write_text
from if_circuits.planting.mechanism import KINDS

NAME = "known answers"
"""What stands in the markers of the table."""


def known_answers_markdown(summaries: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table from the contents of `summary.json` files: every entry in it is measured."""
    of_kind = {
        kind: [
            model for summary in summaries for model in summary["models"].values() if model["kind"] == kind
        ]
        for kind in KINDS
    }
    shown = [kind for kind in KINDS if of_kind[kind]]
    questions = dict.fromkeys(
        question for kind in shown for model in of_kind[kind] for question in _answers(model)
    )
    heads = [*(f"{kind} ({_models(len(of_kind[kind]))})" for kind in shown), "wrong [95 %]"]
    lines = [f"| question | {' | '.join(heads)} |", f"|---|{'---|' * len(heads)}"]
    for question in questions:
        asked = [[_answers(model).get(question) for model in of_kind[kind]] for kind in shown]
        cells = [*map(_cell, asked), _error([answer for answers in asked for answer in answers])]
        lines.append(f"| {question.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _models(n: int) -> str:
    return "1 model" if n == 1 else f"{n} models"


def _answers(model: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """All questions of a model, that of its mechanism first."""
    right = (
        "undecided"
        if model["found"] == "undecided"
        else "right"
        if model["found"] == model["planted"]
        else "wrong"
    )
    mechanism = {"planted": model["planted"], "found": model["found"], "right": right}
    return {"mechanism": mechanism, **model["analyses"]}


def _cell(answers: Sequence[Mapping[str, Any] | None]) -> str:
    """Planted and found of the first model, and in how many the answer was right, undecided and wrong."""
    known = [answer for answer in answers if answer is not None]
    if not known:
        return "–"
    first = known[0]
    counts = [sum(answer["right"] == kind for answer in known) for kind in ("right", "undecided", "wrong")]
    told = (
        first["found"]
        if first["found"] == first["planted"]
        else f"{first['found']} (planted: {first['planted']})"
    )
    return f"{told}; {'/'.join(map(str, counts))}"


def _error(answers: Sequence[Mapping[str, Any] | None]) -> str:
    """How many answers were wrong, with the Wilson interval of that share."""
    known = [answer["right"] == "wrong" for answer in answers if answer is not None]
    low, high = binomtest(sum(known), len(known)).proportion_ci(method="wilson")
    return f"{sum(known)} of {len(known)} [{low:.2f}, {high:.2f}]"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: 0 when the table is written, 2 for unusable input."""
    parser = argparse.ArgumentParser(
        prog="python -m if_circuits.analyses.validation.known_answers.table",
        description="Write the table of the known answers as Markdown.",
    )
    parser.add_argument(
        "summaries", type=Path, nargs="+", help="summary.json files, the shipped models' first"
    )
    parser.add_argument("page", type=Path, help="file with the two markers")
    given = parser.parse_args(arguments)
    try:
        table = known_answers_markdown([json.loads(path.read_text()) for path in given.summaries])
        write_text(given.page, insert_table(given.page.read_text(), table, name=NAME))
    except (InputError, OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
