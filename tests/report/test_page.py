import json
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from if_circuits.analyses.base import AnalysisResult, Verdict
from if_circuits.analyses.compliance.analysis import compliance_table
from if_circuits.plotting.numbers import format_number, format_p
from if_circuits.report import evidence
from if_circuits.report import page as report_page
from if_circuits.report.page import ReportContent, render_report, shipped_calibration
from if_circuits.report.tables import view_table

ATTACK = "<script>alert('x')</script> & \"quotes\""


def content(response: str = "A river runs.", *, note: str = "nothing left out") -> ReportContent:
    responses = pd.DataFrame(
        [
            {"task": task, "family": "semantic", "constrained": constrained,
             "temperature": 1.0, "verdict": verdict,
             "base_query": f"q{i}", "truncated": i == 0, "prompt": f"Write about {response}",
             "response": response, "reason": "because"}
            for task in ("topic", "register")
            for constrained in (True, False)
            for verdict in ("satisfied", "violated")
            for i in range(4)
        ]
    )  # fmt: skip
    verdict = Verdict(
        claim="Transfer is weak", verdict="not supported", effect=0.61, interval=(0.55, float("nan")),
        p=0.0002, n=47, rule="supported when below 0.5", notes=(note,),
    )  # fmt: skip
    table = pd.DataFrame({"task": [f"t{i}" for i in range(30)], "auroc": 0.75})
    record = {
        "model": {"name": "if-tiny", "fingerprint": "abc"},
        "config": {"temperature": None, "seed": 3},
        "run_settings": {"temperature": 0.5, "top_p": 0.9},
        "versions": {"if_circuits": "0.1.0"},
        "stages": {"responses": {"seconds": 12.5, "peak_memory_mb": 900}},
    }
    result = AnalysisResult("cross_task_transfer", table, verdict, {"null": table})
    figures = {"cross_task_transfer": b"\x89PNG one", "compliance": b"\x89PNG two"}
    compliance = compliance_table(responses, n_bootstrap=50)
    return ReportContent(record, responses, compliance, {"cross_task_transfer": result}, figures)


class Elements(HTMLParser):
    """Collects the tags of a page, each with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def study_of(page: str) -> dict[str, Any]:
    """The data in the page, as its scripts read them."""
    found = re.search(r'<script type="application/json" id="study">(.*?)</script>', page, re.S)
    assert found is not None
    return json.loads(found[1], parse_constant=pytest.fail)


def test_whatever_a_model_says_is_data():
    page = render_report(content(ATTACK, note=ATTACK))
    scripts = [attrs for tag, attrs in Elements(page).tags if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "study"}, {}]
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &#34;quotes&#34;") >= 5
    assert ATTACK in study_of(page)["texts"]


def test_the_policy_lets_this_page_s_script_and_style_run_and_nothing_else():
    page = render_report(content())
    policy = next(attrs["content"] for tag, attrs in Elements(page).tags if attrs.get("http-equiv"))
    assert policy is not None
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    for directive, found in (("script-src", "<script>(.*?)</script>"), ("style-src", "<style>(.*?)</style>")):
        texts = re.findall(found, page, re.S)
        assert len(texts) == 1
        digest = b64encode(sha256(texts[0].encode()).digest()).decode()
        assert directives[directive] == f"'sha256-{digest}'"
    assert not [attrs for _, attrs in Elements(page).tags if "style" in attrs or "onclick" in attrs]


def test_page_needs_no_other_file_and_no_network():
    tags = Elements(render_report(content())).tags
    sources = [attrs["src"] or "" for _, attrs in tags if "src" in attrs]
    assert len(sources) == 2
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    links = [attrs["href"] or "" for tag, attrs in tags if tag in ("a", "link")]
    assert all(link.startswith(("#", "results/")) for link in links)
    anchors = {attrs["id"] for _, attrs in tags if "id" in attrs}
    assert {link[1:] for link in links if link.startswith("#")} - {"causal_ablation"} <= anchors


def card_of(page: str) -> str:
    found = re.search(r'<article class="card" id="cross_task_transfer">.*?</article>', page, re.S)
    assert found is not None
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[0]))


def test_a_card_has_claim_verdict_effect_interval_p_n_rule_and_a_plain_sentence():
    card = card_of(render_report(content()))
    for part in (
        "Transfer is weak: not supported", "effect 0.610 [0.550, –]", "p &lt; 0.001", "n = 47 base queries",
        "more than half of it carries over", "Rule. supported when below 0.5", "nothing left out",
    ):  # fmt: skip
        assert part in card
    assert "rung: text" in card  # nothing says that its probes beat the words
    assert "What it assumes" in card
    assert "What would break it" in card


def test_a_study_too_large_for_the_page_is_held_in_part_and_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(evidence, "MOST_BYTES", 240)
    monkeypatch.setattr(evidence, "MOST_OF_ONE", 10)
    page = render_report(content("x" * 12))
    responses = study_of(page)["responses"]
    assert 2 <= len(responses["id"]) < 32
    assert f"This page holds {len(responses['id'])} rows, as many as fit of the 32" in page
    texts = study_of(page)["texts"]
    assert {"topic", "register"} == {texts[number] for number in responses["task"]}
    assert set(responses["cut"]) == {12}
    assert {texts[number] for number in responses["response"]} == {"x" * 10}


@pytest.mark.parametrize("letters", ["river ", "שלום ", "水の音 ", "<&> ", '"\n', "\x00"])
def test_the_page_of_any_study_stays_below_ten_megabytes(letters: str):
    given = content()
    many = pd.concat([given.responses] * 400, ignore_index=True)
    said = [f"{i} {letters * 400}" for i in range(len(many))]
    page = render_report(replace(given, responses=many.assign(response=said)))
    assert len(page.encode()) <= 10e6
    shown = len(study_of(page)["responses"]["id"])
    assert 100 < shown < len(many)


def test_a_calibration_that_ships_answers_the_last_item_of_the_checklist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(report_page, "files", lambda _: tmp_path)
    assert shipped_calibration() is None
    (tmp_path / "assets").mkdir()
    found = {"rate": 0.035, "low": 0.017, "high": 0.071, "runs": 200}
    summary = {"claims": {"specificity": {"false_positive": found, "power": [{"rate": 0.92}]}}}
    (tmp_path / "assets" / "calibration.json").write_text(json.dumps(summary), encoding="utf-8")
    page = render_report(replace(content(), calibration=shipped_calibration()))
    assert "specificity: 0.035 false positives [0.017, 0.071] in 200 runs; power up to 0.92." in page
    assert "Error rates on planted data" not in page
    assert "Error rates on planted data" in render_report(content())


def test_a_quantised_model_is_called_one():
    assert "dequantised" not in render_report(content())
    record = {
        **content().record,
        "model": {"name": "small", "fingerprint": "abc", "dequantised_from": "Q4_1"},
    }
    assert "Its weights were dequantised from Q4_1" in render_report(replace(content(), record=record))


def test_the_report_says_how_responses_were_sampled():
    page = render_report(content())
    assert "sampled at temperature 0.5 among the likeliest tokens that together have probability 0.9" in page


def test_study_without_analyses_still_has_a_report():
    full = content()
    page = render_report(ReportContent(full.record, full.responses, full.compliance, {}, {}))
    assert "No analysis was asked for." in page
    assert "A river runs." in page


def test_long_tables_are_cut_and_say_where_the_rest_lies():
    view = view_table("x", content().results["cross_task_transfer"].table, path="results/x.parquet")
    assert (len(view.rows), view.n_rows, view.rows[0]) == (12, 30, ("t0", "0.750"))
    assert "12 of 30 rows" in render_report(content())


def test_a_deep_table_shows_each_task_at_its_best_layer():
    cells = [(task, layer) for task in ("topic", "register") for layer in range(-1, 80)]
    table = pd.DataFrame(cells, columns=["task", "layer"])
    table["auroc"] = [0.5 + layer / 200 if task == "topic" else 0.9 - layer / 200 for task, layer in cells]
    view = view_table("x", table, path="results/x.parquet")
    assert view.rows == (("topic", "79", "0.895"), ("register", "embed", "0.905"))
    assert (view.n_rows, view.n_layers) == (162, 81)
    full = content()
    deep = {"cross_task_transfer": replace(full.results["cross_task_transfer"], table=table, tables={})}
    page = render_report(replace(full, results=deep))
    assert "Each row is the best of 81 layers by AUROC" in page
    assert "2 of 162 rows" in page
    assert "best of" not in render_report(full)


def test_cells_show_layers_by_name_and_whole_numbers_as_such():
    table = pd.DataFrame(
        {"layer": [-1, 3, None], "n": [4.0, None, -6.0], "p": [0.5, 1, None],
         "converged": [True, False, True], "note": ["", None, "odd"]}
    )  # fmt: skip
    assert view_table("x", table, path="x").rows == (
        ("embed", "4", "0.500", "True", ""),
        ("3", "–", "1.000", "False", "–"),
        ("–", "−6", "–", "True", "odd"),
    )


def test_a_model_directory_is_called_by_its_own_name():
    full = content()
    record = {**full.record, "model": {"name": "/home/me/models/mine"}}
    page = render_report(ReportContent(record, full.responses, full.compliance, {}, {}))
    assert "<h1>How mine follows instructions</h1>" in page


@pytest.mark.parametrize(
    ("value", "number", "p"),
    [
        (-0.1234, "−0.123", "< 0.001"),
        (1234.5, "1,234", "1234.500"),
        (float("nan"), "–", "–"),
        (None, "–", "–"),
    ],
)
def test_numbers_are_short_and_undefined_ones_are_dashes(value: float | None, number: str, p: str):
    assert (format_number(value), format_p(value)) == (number, p)
