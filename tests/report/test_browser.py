"""The report in a real browser: what a reader points at, presses and filters, on hostile responses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from if_circuits.analyses.base import ANALYSES
from tests.browser import VIEWPORTS, Watched, chromium, violations, watched
from tests.report.study_page import HOSTILE, write_page

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("page"))


@pytest.fixture
def seen(browser: Any, path: Path) -> Iterator[Watched]:
    """The page, opened from disk; afterwards it has complained of nothing and asked for nothing."""
    found = watched(browser, viewport={"width": 1280, "height": 900})
    found.page.goto(path.as_uri())
    yield found
    assert found.page.evaluate("window.hacked") is None
    found.check()
    found.page.close()


def text(locator: Any) -> str:
    return " ".join(locator.inner_text().split())


def test_every_verdict_has_a_card_that_unfolds(seen: Watched):
    cards = seen.page.locator("article.card")
    assert [cards.nth(i).get_attribute("id") for i in range(cards.count())] == list(ANALYSES)
    for i in range(cards.count()):
        card = cards.nth(i)
        assert "effect 0.123 [0.045, 0.201]" in text(card)
        assert "rung: " in text(card)
        assert card.locator("h4").count() >= 1
        rule = card.locator("details").first
        assert not rule.locator("p").first.is_visible()
        rule.locator("summary").click()
        assert "What would break it" in text(rule)
    seen.page.locator("[data-views=compliance] svg").wait_for()


def test_why_a_cell_is_what_it_is_takes_two_steps(seen: Watched):
    """Pointing names value, interval, n and control; pressing shows the ranked responses."""
    cell = seen.page.locator("#cross_task_transfer .cell").nth(3)
    value = cell.inner_text().rstrip("*")
    cell.hover()
    told = text(seen.page.locator("#hover"))
    for part in (
        "95 % interval",
        "n 594 responses",
        "control: labels exchanged between base queries",
        "s.d.",
    ):
        assert part in told
    cell.click()
    dialog = seen.page.locator("dialog.evidence")
    assert f"AUROC {value}" in text(dialog.locator("h2"))
    assert "the probe puts the satisfied one higher in" in text(dialog)
    cards = dialog.locator("article.example")
    assert cards.count() >= 7
    assert "rank" in text(cards.first)
    dialog.get_by_role("button", name="violated").click()
    verdicts = dialog.locator("article.example .badge").all_inner_texts()
    assert {each.split()[-1] for each in verdicts} == {"violated"}
    seen.page.keyboard.press("Escape")
    assert seen.page.locator("dialog").count() == 0


def test_a_behaviour_cell_shows_the_answers_where_they_part(seen: Watched):
    seen.page.locator("#causal_ablation .cell").nth(1).click()
    dialog = seen.page.locator("dialog.evidence")
    rows = dialog.locator("table.answers").first.locator("tr")
    assert [rows.nth(i).locator("th").inner_text() for i in range(3)] == [
        "intact", "without word count", "control: gaussian",
    ]  # fmt: skip
    assert rows.nth(1).locator(".same").inner_text().strip() == "The river"
    assert rows.nth(1).locator("mark").inner_text().startswith("word_count")
    dialog.get_by_role("button", name="Close").click()
    assert seen.page.locator("dialog").count() == 0


@pytest.mark.parametrize("analysis", ["representational_similarity", "layer_stratification"])
def test_other_matrices_open_too(seen: Watched, analysis: str):
    seen.page.locator(f"#{analysis} .cell").nth(2).click()
    assert seen.page.locator("dialog .example").count() >= 2


def test_localisation_shows_the_texts_of_what_was_measured(seen: Watched):
    """Of an edge that is the column's task; and a subspace's name is text, whatever it is."""
    card = seen.page.locator("#localisation")
    views = card.locator("section.view")
    assert views.locator("h4").all_inner_texts() == [
        "What each layer carries",
        "Other subspaces there, and a plain sentence",
        "What one task's direction does to the others",
    ]
    views.nth(0).get_by_label("exchanged").select_option(
        label=f"{HOSTILE[0]}, prompt's end and response, taken away"
    )
    assert HOSTILE[0] in views.nth(1).locator("thead").inner_text()
    assert HOSTILE[1] in views.nth(1).locator("thead").inner_text()
    assert card.locator("img").count() == 0
    edges = views.nth(2)
    edges.get_by_label("changed by").select_option("1")
    cell = edges.locator("tbody tr").nth(0).locator(".cell").nth(1)
    cell.hover()
    assert "random displacements of the same length 0.020" in text(seen.page.locator("#hover"))
    cell.click()
    dialog = seen.page.locator("dialog.evidence")
    assert "word count → character count: share of the difference in log-odds" in text(dialog.locator("h2"))
    assert "responses of character count behind it" in text(dialog)
    assert "character count" in text(dialog.locator("article.example").first)
    seen.page.keyboard.press("Escape")


def test_layers_and_positions_can_be_chosen(seen: Watched):
    card = seen.page.locator("#layer_stratification")
    natural = card.locator(".cell").first.inner_text()
    card.get_by_label("labels").first.select_option("1")
    assert card.locator(".cell").first.inner_text() != natural
    matrix = seen.page.locator("#causal_ablation")
    assert matrix.locator("select").first.locator("option").all_inner_texts() == [
        "behaviour",
        "refitted probe",
    ]


def test_keys_reach_every_cell_and_point(seen: Watched):
    page = seen.page
    first = page.locator("#cross_task_transfer .cell").first
    first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    active = "document.activeElement"
    label = page.evaluate(f"{active}.getAttribute('aria-label')")
    second = page.locator("#cross_task_transfer tbody tr").nth(1).locator(".cell").nth(1)
    assert label == second.get_attribute("aria-label")
    assert page.locator("#hover").is_visible()
    page.keyboard.press("Enter")
    assert page.locator("dialog").count() == 1
    page.keyboard.press("Escape")
    assert page.evaluate(f"{active}.getAttribute('aria-label')") == label
    point = page.locator("#temporal_dynamics circle.point").first
    point.focus()
    page.keyboard.press("ArrowRight")
    assert "10%" in page.evaluate(f"{active}.getAttribute('aria-label')")
    assert "95 % interval" in text(page.locator("#hover"))


def test_the_box_goes_along_with_what_it_is_about_and_no_further(seen: Watched):
    """A focus far down scrolls by itself, and the event comes after the box."""
    page = seen.page
    box = page.locator("#hover")
    point = page.locator("#temporal_dynamics circle.point").first
    point.focus()
    assert page.evaluate("window.scrollY") > 0
    page.wait_for_timeout(100)  # for the event of the scrolling
    assert box.is_visible()
    before = box.bounding_box()["y"] - point.bounding_box()["y"]
    page.evaluate("window.scrollBy(0, 40)")
    page.wait_for_timeout(100)
    assert box.bounding_box()["y"] - point.bounding_box()["y"] == pytest.approx(before, abs=1)
    page.evaluate("window.scrollTo(0, 0)")
    box.wait_for(state="hidden")


def test_filters_narrow_the_responses(seen: Watched):
    browser = seen.page.locator("#browser")
    count = browser.locator("p[aria-live]")
    everything = int(text(count).split()[0])
    browser.get_by_label("task", exact=True).select_option("topic")
    browser.get_by_label("label", exact=True).select_option("violated")
    assert 0 < int(text(count).split()[0]) < everything
    assert set(browser.locator("button.response .badge").all_inner_texts()) == {"✗ violated"}
    browser.get_by_label("grade").select_option("grade 1")
    kept = int(text(count).split()[0])
    browser.get_by_label("kind of label").select_option("counterfactual")
    # Under the other prompt every text is violated once, and those of grade 1 are half of all eight.
    assert (kept, int(text(count).split()[0])) == (3, 4)
    browser.get_by_label("label", exact=True).select_option("")
    browser.get_by_label("kind of label").select_option("")
    browser.get_by_label("text", exact=True).fill("zzz no such text")
    assert text(count).startswith("0 of")


def test_tokens_show_probe_words_and_where_it_turned(seen: Watched):
    browser = seen.page.locator("#browser")
    browser.get_by_label("which").select_option("tokens")
    browser.locator("button.response").first.click()
    detail = seen.page.locator("#response")
    tokens = detail.locator(".token")
    assert tokens.count() == 13
    assert detail.locator(".token.turn").count() <= 1
    assert "probe" in str(tokens.nth(4).get_attribute("aria-label"))
    tokens.nth(4).hover()
    told = text(seen.page.locator("#hover"))
    for part in ("words alone", "all layers embed:", "% of 10 satisfied ["):
        assert part in told
    before = tokens.nth(4).get_attribute("aria-label")
    detail.get_by_label("layer", exact=True).select_option("3")
    assert tokens.nth(4).get_attribute("aria-label") != before
    assert detail.locator("svg.heat rect").count() == 13 * 8


def test_hostile_text_stays_text(seen: Watched):
    """Markup shows as it was written, a NUL as a symbol, a long text in part until it is asked for."""
    page = seen.page
    browser = page.locator("#browser")
    page.wait_for_selector("button.response")
    browser.get_by_label("text", exact=True).fill("a NUL")
    browser.locator("button.response").first.click()
    assert "a NUL ␀, a bell ␇" in text(page.locator("#response"))
    browser.get_by_label("text", exact=True).fill("unbroken")
    browser.locator("button.response").first.click()
    detail = page.locator("#response")
    assert len(detail.inner_text()) < 5000
    detail.get_by_role("button", name="Show all 20,000 characters").click()
    assert len(detail.inner_text()) > 20_000
    assert "Cut in this page after 20,000 of 100,000 characters" in text(detail)
    assert page.locator("a[href^='javascript']").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_view_can_be_saved_as_csv(seen: Watched, tmp_path: Path):
    with seen.page.expect_download() as download:
        seen.page.locator("#cross_task_transfer").get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "cells.csv")
    lines = (tmp_path / "cells.csv").read_text().splitlines()
    assert lines[0] == "trained on,tested on,AUROC,low,high,n"
    assert len(lines) == 1 + 81


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_can_be_used_by_everyone(browser: Any, path: Path, dark: bool):
    """axe-core finds nothing, in both themes, with a dialog and without; the theme can be changed by hand."""
    scheme = "dark" if dark else "light"
    found = watched(browser, viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    page = found.page
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    assert not violations(page)
    for card in ("cross_task_transfer", "localisation"):
        page.locator(f"#{card} .cell").last.click()
        assert not violations(page)
        page.keyboard.press("Escape")
    page.locator("#theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") == ("light" if dark else "dark")
    page.close()


@pytest.mark.parametrize(("width", "height"), VIEWPORTS)
def test_nothing_sticks_out_at_any_width(browser: Any, path: Path, width: int, height: int):
    found = watched(browser, viewport={"width": width, "height": height})
    found.page.goto(path.as_uri())
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width
    cell = found.page.locator("#cross_task_transfer .cell").first
    cell.hover()
    value = found.page.locator("#hover dd").first
    assert value.bounding_box()["height"] < 30  # on one line
    cell.click()
    dialog = found.page.locator("dialog")
    assert dialog.locator("dd").first.bounding_box()["height"] < 30
    assert dialog.bounding_box()["width"] <= width
    end = dialog.get_by_text("probe says satisfied").bounding_box()
    assert end["x"] + end["width"] <= width
    found.check()
    found.page.close()


def test_print_unfolds_everything(seen: Watched):
    seen.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert seen.page.locator("details:not([open])").count() == 0
    seen.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert seen.page.locator("details[open]").count() == 0
