"""The token view in a notebook."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

import if_circuits as ifc
from if_circuits.errors import InputError
from if_circuits.monitor.answering import answer
from if_circuits.monitor.notebook import TokenReader
from if_circuits.monitor.subject import Subject
from if_circuits.monitor.switches import Asked, Switches
from if_circuits.monitor.token_line import colour, token_line


@pytest.fixture
def reader(subject: Subject) -> TokenReader:
    return TokenReader(subject.model, subject.probes)


@pytest.fixture
def row(subject: Subject) -> pd.Series:
    return ifc.respond(subject.model, ["the river"], temperature=0, max_new_tokens=6).iloc[0]


class Spans(HTMLParser):
    """The titles of a page's spans, and its tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.titles: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "span":
            self.titles.append(str(dict(attrs)["title"]))


def test_every_token_has_its_readings_without_a_script(reader: TokenReader, row: pd.Series):
    html = ifc.show(row, probes=reader, layer=1)._repr_html_()
    found = Spans(html)
    assert len(found.titles) == row["n_tokens"] + 1
    assert "script" not in found.tags
    assert "probe of topic, layer 1" in html
    probe = reader.probes
    words = probe.read_words(row["prompt_tokens"], row["response_tokens"][: row["n_tokens"]])["topic"]
    assert found.titles[-1].endswith(f"words {words[-1]:.2f}")


def test_an_answer_that_the_monitor_saved_needs_no_model(subject: Subject, tmp_path: Path):
    events = list(answer(subject, Asked("the coach", Switches(ablate=("topic",)))))
    path = tmp_path / "answer.json"
    path.write_text(json.dumps({"format": 1, **subject.to_json(), "events": events}))
    html = ifc.show(path).html
    assert html.count("probe of topic") == 2
    assert ">intact" in html
    assert ">changed" in html


def test_hostile_text_is_escaped():
    html = token_line(
        ["", "<script>alert(1)</script>", "\x00", "\n"], *[pd.Series([0.1, 0.9, 0.5, 0.5]).to_numpy()] * 2,
        task="topic", layer=-1, bins=[{"bin": 0.0, "n": 3, "share": 0.5, "low": None, "high": None}],
    )  # fmt: skip
    assert "<script" not in html
    assert "␀" in html
    assert "⏎" in html
    assert "of held-out ones 0.50 satisfied" in html


def test_colours_go_from_orange_over_white_to_blue():
    assert [colour(value) for value in (0.0, 0.5, 1.0)] == [
        "rgb(179, 88, 6)", "rgb(247, 247, 247)", "rgb(33, 102, 172)",
    ]  # fmt: skip
    assert colour(float("nan")) == "#bbb"


def test_what_cannot_be_shown_says_why(reader: TokenReader, row: pd.Series):
    with pytest.raises(InputError, match="give probes=ifc.token_probes"):
        ifc.show(row)
    with pytest.raises(InputError, match="no probe of 'rhyme'; give task=, one of topic"):
        ifc.show(row, probes=reader, task="rhyme")
    with pytest.raises(InputError, match="no probe at layer 77"):
        ifc.show(row, probes=reader, layer=77)
    with pytest.raises(InputError, match="lacks n_tokens, prompt_tokens, response_tokens"):
        ifc.show(pd.Series({"response": "a"}), probes=reader)
    with pytest.raises(InputError, match="one answer at a time"):
        ifc.show(pd.DataFrame([row, row]), probes=reader)
