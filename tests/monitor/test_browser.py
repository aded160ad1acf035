"""The monitor in a real browser, over a real socket on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="pip install 'if-circuits[monitor]'")
import uvicorn

from if_circuits.monitor import server
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
    page.click("#replay")
    page.click("#step")  # which pauses
    shown = tokens.count()
    assert shown < n
    page.click("#step")
    assert tokens.count() == shown + 1
    page.click("#pause")  # goes on
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


def test_stop_ends_the_model(seen: Watched, monkeypatch: pytest.MonkeyPatch):
    page, real, gone = seen.page, server.answer, threading.Event()

    def endless(subject: Subject, asked: Any, *, stopped: Any) -> Iterator[dict[str, Any]]:
        for event in real(subject, asked, stopped=stopped):
            yield event
            if event["event"] == "tokens":
                for _ in range(2000):
                    if stopped():
                        gone.set()
                        break
                    threading.Event().wait(0.01)

    monkeypatch.setattr(server, "answer", endless)
    page.fill("#prompt", "the river")
    page.click("#ask")
    page.wait_for_selector(".token")
    page.click("#stop")
    page.wait_for_selector("#ask:not([disabled])")
    assert page.inner_text("#said").startswith("Stopped after")
    assert gone.wait(5)


@pytest.mark.parametrize("width", [390, 1920])
def test_nothing_sticks_out(browser: Any, address: str, width: int):
    found = watched(browser, viewport={"width": width, "height": 900})
    found.page.goto(address)
    ask(found.page, "the river")
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width
    found.check(allowed=address)
    found.page.close()
