"""The monitor's server: who is answered, and that whatever goes wrong is said and ends nothing else."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("starlette", reason="pip install 'if-circuits[monitor]'")
from starlette.testclient import TestClient

from if_circuits.monitor import pace as pace_module
from if_circuits.monitor import server
from if_circuits.monitor.pace import Pace
from if_circuits.monitor.server import make_app
from if_circuits.monitor.subject import Subject

PORT, TOKEN = 8123, "a-secret"
HERE = f"http://127.0.0.1:{PORT}"
QUESTION = {"prompt": "the river"}
SCOPE: dict[str, Any] = {
    "type": "http", "method": "POST", "path": f"/{TOKEN}/ask", "raw_path": b"", "query_string": b"",
    "root_path": "", "scheme": "http", "http_version": "1.1", "asgi": {"version": "3.0"},
    "headers": [(b"host", f"127.0.0.1:{PORT}".encode())], "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", PORT),
}  # fmt: skip
ASKED = {"type": "http.request", "body": json.dumps(QUESTION).encode(), "more_body": False}


@pytest.fixture
def client(subject: Subject) -> TestClient:
    return TestClient(make_app(subject, token=TOKEN, port=PORT), base_url=HERE)


def ask(client: TestClient, question: object = QUESTION, **options: Any) -> list[dict[str, Any]]:
    reply = client.post(f"/{TOKEN}/ask", json=question, **options)
    assert reply.status_code == 200
    return [json.loads(line.removeprefix("data: ")) for line in reply.text.split("\n\n") if line]


def test_page_and_answer(client: TestClient):
    page = client.get(f"/{TOKEN}/")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert page.headers["cache-control"] == "no-store"
    events = ask(client)
    assert [events[0]["event"], events[-1]["event"]] == ["start", "end"]


@pytest.mark.parametrize(
    ("path", "headers", "message"),
    [
        ("/another/", {}, "the token in the address is not this monitor's"),
        (f"/{TOKEN}x/", {}, "the token in the address"),
        (f"/{TOKEN}/", {"host": f"evil.example:{PORT}"}, "the host 'evil.example:8123' is not"),
        (f"/{TOKEN}/", {"host": "127.0.0.1:1"}, "is not this monitor's"),
        (f"/{TOKEN}/", {"origin": "https://evil.example"}, "from 'https://evil.example' are not answered"),
        (f"/{TOKEN}/", {"origin": "null"}, "requests from 'null'"),
    ],
)  # fmt: skip
def test_strangers_are_refused_with_a_message(
    client: TestClient, path: str, headers: dict[str, str], message: str
):
    for reply in (
        client.get(path, headers=headers),
        client.post(f"{path}ask", json=QUESTION, headers=headers),
    ):
        assert reply.status_code == 403
        assert message in reply.text
    assert ask(client)[-1]["event"] == "end"


def test_own_origin_is_answered(client: TestClient):
    for origin in (HERE, f"http://localhost:{PORT}"):
        assert ask(client, headers={"origin": origin})[-1]["event"] == "end"


@pytest.mark.parametrize("path", ["/", f"/{TOKEN}", f"/{TOKEN}/other", "/docs", f"/{TOKEN}/../ask"])
def test_there_is_no_other_endpoint(client: TestClient, path: str):
    reply = client.get(path, follow_redirects=False)
    assert reply.status_code in (307, 404, 405)
    assert client.put(f"/{TOKEN}/ask").status_code == 405


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"prompt": "river " * 16_667}, "more than the 256 of"),
        ({"prompt": "x" * 2_000_000}, "more than 1,000,000 bytes"),
        ({"prompt": ""}, "the prompt is empty"),
        ([], "a question is a JSON object"),
    ],
)
def test_a_bad_question_gets_a_message_and_the_next_one_an_answer(
    client: TestClient, question: object, message: str
):
    (event,) = ask(client, question)
    assert event["event"] == "error"
    assert message in event["message"]
    assert ask(client)[-1]["event"] == "end"


def test_a_model_that_fails_halfway_is_reported_and_the_server_lives(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        read, calls = server.answer, 0

        def failing(*args: Any, **options: Any) -> Iterator[dict[str, Any]]:
            nonlocal calls
            for event in read(*args, **options):
                calls += 1
                yield event
                if calls == 2:
                    raise RuntimeError("out of memory")

        patch.setattr(server, "answer", failing)
        events = ask(client)
    assert events[0]["event"] == "start"
    assert events[-1]["event"] == "error"
    assert "the model failed after" in events[-1]["message"]
    assert "RuntimeError: out of memory" in events[-1]["message"]
    assert ask(client)[-1]["event"] == "end"


def test_two_clients_are_answered_in_turn(subject: Subject, monkeypatch: pytest.MonkeyPatch):
    """The second waits, is told so, and gets the whole of its own answer."""
    began, release = threading.Event(), threading.Event()
    real = server.answer

    def slow(subject: Subject, asked: Any, **options: Any) -> Iterator[dict[str, Any]]:
        if asked.prompt == "the river":
            began.set()
            release.wait(10)
        yield from real(subject, asked, **options)

    monkeypatch.setattr(server, "answer", slow)
    app = make_app(subject, token=TOKEN, port=PORT)
    found: dict[str, list[dict[str, Any]]] = {}

    def first() -> None:
        found["first"] = ask(TestClient(app, base_url=HERE))

    def second() -> None:
        found["second"] = ask(TestClient(app, base_url=HERE), {"prompt": "the coach"})

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert began.wait(10)
    threads[1].start()
    time.sleep(0.3)
    release.set()
    for thread in threads:
        thread.join(20)
    assert found["first"][-1]["event"] == found["second"][-1]["event"] == "end"
    assert found["second"][0]["event"] == "waiting"
    assert "another answer is being written" in found["second"][0]["message"]
    assert "waiting" not in {event["event"] for event in found["first"]}


def test_a_held_answer_holds_up_nobody_for_long(subject: Subject, monkeypatch: pytest.MonkeyPatch):
    """Another question ends it after a while, which its own reader is told."""
    held, real = threading.Event(), server.answer

    def holding(subject: Subject, asked: Any, *, pace: Pace) -> Iterator[dict[str, Any]]:
        if asked.prompt == "the river":
            pace.order("hold")
            held.set()
        yield from real(subject, asked, pace=pace)

    monkeypatch.setattr(server, "answer", holding)
    monkeypatch.setattr(pace_module, "PATIENCE", 0.2)
    app = make_app(subject, token=TOKEN, port=PORT)
    found: list[dict[str, Any]] = []
    first = threading.Thread(target=lambda: found.extend(ask(TestClient(app, base_url=HERE))))
    first.start()
    assert held.wait(10)
    second = ask(TestClient(app, base_url=HERE), {"prompt": "the coach"})
    first.join(10)
    assert [event["event"] for event in (second[0], second[-1])] == ["waiting", "end"]
    assert not second[-1]["stopped"]
    assert found[-1]["event"] == "end"
    assert "while another question waited" in found[-1]["why"]


def test_an_order_for_an_answer_that_has_ended_says_so(client: TestClient):
    ended = client.post(f"/{TOKEN}/ask", json={"answer": "gone", "order": "step"})
    assert (ended.status_code, ended.text) == (200, "that answer is no longer being written\n")
    wrong = client.post(f"/{TOKEN}/ask", json={"answer": "gone", "order": "jump"})
    assert (wrong.status_code, wrong.text) == (400, "the order is one of hold, step, go\n")


def test_a_client_that_leaves_stops_its_answer(subject: Subject, monkeypatch: pytest.MonkeyPatch):
    """The model is free again, and was not run to the end."""
    real, ended = server.answer, threading.Event()
    steps: list[str] = []

    def watched(subject: Subject, asked: Any, *, pace: Pace) -> Iterator[dict[str, Any]]:
        pace.order("hold")  # one that nobody orders any more, too
        for event in real(subject, asked, pace=pace):
            steps.append(event["event"])
            yield event
        ended.set()

    monkeypatch.setattr(server, "answer", watched)
    app = make_app(subject, token=TOKEN, port=PORT)

    async def leave() -> None:
        sent = asyncio.Event()
        messages = [ASKED]

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            await sent.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.body" and b"start" in message["body"]:
                sent.set()

        await app(SCOPE, receive, send)  # pyright: ignore[reportArgumentType]

    asyncio.run(asyncio.wait_for(leave(), 20))
    assert ended.wait(10)
    assert steps[0] == "start"
    assert steps.count("tokens") <= 1
    monkeypatch.setattr(server, "answer", real)
    assert ask(TestClient(app, base_url=HERE))[-1]["event"] == "end"


def test_a_client_that_does_not_read_holds_up_nobody(subject: Subject):
    """Its answer is written to the end; what it does not take waits for it."""
    app = make_app(subject, token=TOKEN, port=PORT)
    stuck, leave = threading.Event(), threading.Event()

    async def never_read() -> None:
        messages = [ASKED]

        async def receive() -> dict[str, Any]:
            return messages.pop() if messages else await asyncio.Future()

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.body":
                stuck.set()
                await asyncio.Future()

        reading = asyncio.ensure_future(app(SCOPE, receive, send))  # pyright: ignore[reportArgumentType]
        while not leave.is_set():
            await asyncio.sleep(0.01)
        assert not reading.done()
        reading.cancel()

    other = threading.Thread(target=lambda: asyncio.run(never_read()))
    other.start()
    assert stuck.wait(10)
    assert ask(TestClient(app, base_url=HERE), {"prompt": "the coach"})[-1]["event"] == "end"
    leave.set()
    other.join(20)
    assert not other.is_alive()
