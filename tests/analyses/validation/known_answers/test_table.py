import json
from pathlib import Path

import pytest

from if_circuits.analyses.validation.known_answers.table import NAME, known_answers_markdown, main
from if_circuits.analyses.validation.marked_table import markers

START, END = markers(NAME)

ANSWER = {
    "planted": "supported",
    "found": "supported",
    "right": "right",
    "effect": 0.1,
    "interval": [0.0, 0.2],
}
MISSED = {**ANSWER, "found": "inconclusive", "right": "undecided"}


def model(kind: str, found: str, transfer: dict[str, object]) -> dict[str, object]:
    return {"planted": kind, "kind": kind, "found": found, "analyses": {"cross_task_transfer": transfer}}


def summary(**models: dict[str, object]) -> dict[str, object]:
    return {"models": models}


def row(table: str, question: str) -> list[str]:
    line = next(line for line in table.splitlines() if line.startswith(f"| {question} |"))
    return line.strip("| ").split(" | ")[1:]


def test_models_of_a_kind_are_counted_over_all_summaries():
    first = summary(a=model("universal", "universal", MISSED), b=model("clustered", "undecided", ANSWER))
    table = known_answers_markdown([first, summary(c=model("universal", "compositional", ANSWER))])
    assert row(table, "question") == ["universal (2 models)", "clustered (1 model)", "wrong [95 %]"]
    assert row(table, "mechanism") == [
        "universal; 1/0/1",
        "undecided (planted: clustered); 0/1/0",
        "1 of 3 [0.06, 0.79]",
    ]
    assert row(table, "cross task transfer") == [
        "inconclusive (planted: supported); 1/1/0",
        "supported; 1/0/0",
        "0 of 3 [0.00, 0.56]",
    ]


def test_a_question_that_one_kind_does_not_have_stays_empty():
    edges = model("clustered", "clustered", ANSWER)
    edges["analyses"] = {"edges in behaviour: direction": ANSWER}
    table = known_answers_markdown([summary(a=model("universal", "universal", ANSWER), b=edges)])
    assert "| edges in behaviour: direction | – | supported; 1/0/0 | 0 of 1 [0.00, 0.79] |" in table


def test_the_table_goes_between_its_markers(tmp_path: Path):
    source, page = tmp_path / "summary.json", tmp_path / "page.md"
    source.write_text(json.dumps(summary(a=model("universal", "universal", ANSWER))))
    page.write_text(f"before\n{START}\nold\n{END}\nafter\n")
    assert main([str(source), str(page)]) == 0
    text = page.read_text()
    assert "old" not in text and text.startswith("before\n") and text.endswith(f"{END}\nafter\n")
    assert "| mechanism | universal; 1/0/0 | 0 of 1 [0.00, 0.79] |" in text


@pytest.mark.parametrize("text", ["no markers", f"{END} {START}"])
def test_a_file_without_markers_is_left_alone(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source, page = tmp_path / "summary.json", tmp_path / "page.md"
    source.write_text(json.dumps(summary(a=model("universal", "universal", ANSWER))))
    page.write_text(text)
    assert main([str(source), str(page)]) == 2
    assert page.read_text() == text
    assert "needs one line" in capsys.readouterr().err
