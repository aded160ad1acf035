"""The monitor in a real browser, over a real socket on loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="pip install 'if-circuits[monitor]'")
import uvicorn

from if_circuits.monitor import answering, server
from if_circuits.monitor.pace import Pace
from if_circuits.monitor.saved import read_saved
from if_circuits.monitor.server import make_app
from if_circuits.monitor.subject import Subject
from tests.browser import Watched, chromium, violations, watched

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def address(subject: Subject) -> Iterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        app = make_app(subject, token="a-secret", port=port)
        running = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{port}/a-secret/"
        running.should_exit = True
        thread.join(5)


@pytest.fixture
def seen(browser: Any, address: str) -> Iterator[Watched]:
    found = watched(browser, viewport={"width": 1280, "height": 900})
    found.page.goto(address)
    yield found
    found.check(allowed=address)
    found.page.close()


def ask(page: Any, prompt: str) -> None:
    page.fill("#prompt", prompt)
    page.click("#ask")
    page.wait_for_selector("#ask:not([disabled])")


def test_an_answer_streams_with_readings_and_can_be_stepped_replayed_and_saved(
    seen: Watched, subject: Subject, tmp_path: Path
):
    page = seen.page
    ask(page, "the river. Keep it to exactly 12 words.")
    assert page.inner_text("#said") == 'Constraint: word count {"n":12}'
    assert page.locator(".answer").count() == 1
    assert "asked for 12" in page.inner_text(".answer")
    tokens = page.locator(".token")
    n = tokens.count()
    assert n >= 2
    tokens.nth(1).hover()
    assert "held-out" in page.inner_text("#hover")
    rows = page.locator("table.now tbody tr")
    assert rows.count() == len(subject.live.tasks)
    assert "satisfied" in rows.first.inner_text()
    assert page.is_disabled("#step")  # nothing is left to step through
    page.click("#replay")
    page.click("#step")  # which pauses
    shown = tokens.count()
    assert shown < n
    page.click("#step")
    assert tokens.count() == shown + 1
    page.click("#pause")  # goes on
    page.wait_for_selector("#step[disabled]")
    assert tokens.count() == n
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(tmp_path / "answer.json")
    saved = read_saved(tmp_path / "answer.json")
    assert saved.task == "word_count"
    assert len(saved.answers[0].tokens) == n
    assert not violations(page)


def test_what_is_switched_on_gives_a_second_answer_beside_the_first(seen: Watched):
    page = seen.page
    page.get_by_label("topic").first.check()
    page.get_by_label("steer along").select_option("topic")
    page.fill("#strength", "4")
    ask(page, "the coach")
    headings = page.locator(".answer h2").all_inner_texts()
    assert headings == ["Intact", "Changed"]
    texts = page.locator(".answer > p > .said").all_inner_texts()
    assert texts[-1] != texts[0]
    assert "no verdict" in page.inner_text("#said")
    assert not violations(page)


def test_an_error_is_shown_and_the_next_question_answered(seen: Watched):
    page = seen.page
    ask(page, "river " * 16_667)
    assert "more than the 256 of" in page.inner_text("#said")
    assert page.locator("#said.error").count() == 1
    ask(page, "the river")
    assert page.locator("#said.error").count() == 0
    assert page.locator(".token").count() > 1


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> list[Pace]:
    """An event for each token, and time between them; the pace of each answer that begins."""
    real, paces = server.answer, list[Pace]()

    def slowly(subject: Subject, asked: Any, *, pace: Pace) -> Iterator[dict[str, Any]]:
        paces.append(pace)
        for event in real(subject, asked, pace=pace):
            yield event
            time.sleep(0.2)

    monkeypatch.setattr(server, "answer", slowly)
    monkeypatch.setattr(answering, "EVERY", 0.0)
    return paces


def test_pause_and_step_hold_the_model_itself(seen: Watched, slow: list[Pace]):
    page = seen.page
    page.fill("#prompt", "the river")
    page.click("#ask")
    page.wait_for_selector(".token")
    page.click("#pause")
    page.get_by_text("Held after").wait_for()
    page.wait_for_timeout(500)  # for what was on its way
    tokens = page.locator(".token")
    held = tokens.count()
    page.wait_for_timeout(500)
    assert tokens.count() == held
    assert slow[0].take() is None
    page.click("#step")
    tokens.nth(held).wait_for()
    assert page.inner_text("#said") == f"Held after {held} tokens: the model waits."
    page.wait_for_timeout(300)
    assert tokens.count() == held + 1
    page.click("#pause")  # goes on
    page.wait_for_selector("#ask:not([disabled])")
    assert tokens.count() > held + 1
    assert page.locator("#pause").inner_text() == "Pause"


def test_a_reader_who_goes_while_the_answer_is_held_leaves_the_model_free(
    seen: Watched, browser: Any, address: str, slow: list[Pace]
):
    other = watched(browser)
    other.page.goto(address)
    other.page.fill("#prompt", "the coach")
    other.page.click("#ask")
    other.page.wait_for_selector(".token")
    other.page.click("#pause")
    other.page.get_by_text("Held after").wait_for()
    other.page.close()
    ask(seen.page, "the river")
    assert seen.page.locator(".token").count() > 1
    assert slow[0].ended


def test_stop_ends_the_model(seen: Watched, slow: list[Pace]):
    page = seen.page
    page.fill("#prompt", "the river")
    page.click("#ask")
    page.wait_for_selector(".token")
    page.click("#stop")
    page.wait_for_selector("#ask:not([disabled])")
    assert page.inner_text("#said").startswith("Stopped after")
    deadline = time.monotonic() + 5
    while not slow[0].ended and time.monotonic() < deadline:
        time.sleep(0.01)
    assert slow[0].ended


@pytest.mark.parametrize("width", [390, 1920])
def test_nothing_sticks_out(browser: Any, address: str, width: int):
    found = watched(browser, viewport={"width": width, "height": 900})
    found.page.goto(address)
    ask(found.page, "the river")
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width
    found.check(allowed=address)
    found.page.close()
