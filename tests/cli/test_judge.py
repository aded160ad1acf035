"""`if-circuits judge`: a judge on one's own labelled file."""

from __future__ import annotations

from pathlib import Path

import pytest

from if_circuits.cli.main import main

ROWS = "text,label,group\nA lovely day.,positive,1\nA dreadful day.,negative,1\nWhat a delight!,positive,2\n"


def test_the_agreement_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "labelled.csv"
    path.write_text(ROWS + "It was a waste of time.,negative,2\n")
    assert main(["judge", str(path), "--what", "sentiment", "--judge", "vader"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("vader: n = 4\n")
    assert "AUROC 1.00 [1.00, 1.00]" in said
    assert "accuracy 1.00" in said


def test_human_scores_are_correlated_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "scored.csv"
    informal, formal = "Hey guys, lol", "Please be advised that we shall commence."
    path.write_text(f'text,label\n"{informal}",0.1\n"{formal}",0.9\nThe lamp.,0.5\n"{formal}",0.8\n')
    assert main(["judge", str(path), "--what", "register", "--judge", "register-lexicon"]) == 0
    assert "correlation 0." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ("words,label\na,b\n", ["--what", "sentiment"], "no column 'text'"),
        (ROWS, ["--what", "sentiment", "--judge", "oracle"], "unknown judge 'oracle'"),
        (ROWS, ["--what", "mood", "--judge", "vader"], "--positive"),
        ("text,label\na,b\n", ["--what", "sentiment", "--judge", "vader"], "expected two"),
        ("", ["--what", "sentiment"], "cannot be read"),
    ],
    ids=str,
)
def test_what_cannot_be_measured_is_refused(
    rows: str, options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "labelled.csv"
    path.write_text(rows)
    assert main(["judge", str(path), *options]) == 2
    assert message in capsys.readouterr().err
