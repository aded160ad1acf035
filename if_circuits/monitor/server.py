"""The monitor's web server: one page, and one endpoint that answers a question by a stream of events.

It listens on loopback only. Every request is checked (`guard`). One question is answered at a time; others
wait, and are told so. The same endpoint takes orders for an answer at work: hold it, one token more, go on.
A client that leaves ends its answer. What goes wrong is an event with a message, and the server goes on.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any, cast

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from if_circuits.errors import InputError
from if_circuits.monitor.answering import answer
from if_circuits.monitor.guard import refusal
from if_circuits.monitor.pace import ORDERS, PATIENCE, Pace, Turns
from if_circuits.monitor.page import render_page
from if_circuits.monitor.switches import Asked

if TYPE_CHECKING:
    from if_circuits.monitor.subject import Subject

MOST_BYTES = 1_000_000
"""Of a question."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
NAME_HEADER = "X-Answer"
"""Names an answer, for orders about it."""
_logger = logging.getLogger(__name__)
Endpoint = Callable[[Request], Awaitable[Response]]


def make_app(subject: Subject, *, token: str, port: int) -> Starlette:
    """The application for a subject, at an address that holds the token."""
    turns = Turns()
    at_work: dict[str, Pace] = {}
    page = render_page(subject)

    def guarded(endpoint: Endpoint) -> Endpoint:
        async def checked(request: Request) -> Response:
            refused = refusal(request, token=token, port=port)
            if refused is not None:
                status, message = refused
                return PlainTextResponse(message + "\n", status, headers=_HEADERS)
            return await endpoint(request)

        return checked

    async def show(request: Request) -> Response:
        del request
        return HTMLResponse(page.html, headers={**_HEADERS, "Content-Security-Policy": page.policy})

    async def ask(request: Request) -> Response:
        try:
            given = await _body(request)
            if isinstance(given, dict) and "order" in given:
                return _obey(cast("dict[str, Any]", given), at_work)
            asked = Asked.from_json(given, tasks=subject.ablatable)
        except InputError as error:
            return StreamingResponse(
                _once(_error(str(error))), media_type="text/event-stream", headers=_HEADERS
            )
        name = token_urlsafe(12)
        stream = _stream(subject, asked, turns, at_work, name)
        return StreamingResponse(
            stream, media_type="text/event-stream", headers={**_HEADERS, NAME_HEADER: name}
        )

    return Starlette(
        routes=[
            Route("/{token}/", guarded(show), methods=["GET"]),
            Route("/{token}/ask", guarded(ask), methods=["POST"]),
        ]
    )


async def _body(request: Request) -> object:
    """The question, as JSON. Raises InputError for one that is too long, or none."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            raise InputError(f"the question has more than {MOST_BYTES:,} bytes; shorten it")
        parts.append(part)
    try:
        return json.loads(b"".join(parts))
    except ValueError as error:
        raise InputError("the question is no JSON") from error


def _obey(given: dict[str, Any], at_work: dict[str, Pace]) -> Response:
    """Carry out an order for an answer at work; one that has ended meanwhile is no error."""
    pace = at_work.get(str(given.get("answer")))
    if given["order"] not in ORDERS:
        return PlainTextResponse(f"the order is one of {', '.join(ORDERS)}\n", 400, headers=_HEADERS)
    if pace is None:
        return PlainTextResponse("that answer is no longer being written\n", headers=_HEADERS)
    pace.order(given["order"])
    return Response(status_code=204, headers=_HEADERS)


async def _once(event: dict[str, Any]) -> AsyncIterator[bytes]:
    yield _line(event)


async def _stream(
    subject: Subject, asked: Asked, turns: Turns, at_work: dict[str, Pace], name: str
) -> AsyncIterator[bytes]:
    """Events of a question, made in a thread of their own; leaving early stops that thread.

    The thread never waits for whoever reads the events: a client that does not read holds up nobody.
    """
    loop = asyncio.get_running_loop()
    events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
    pace = at_work[name] = Pace()

    def tell(event: dict[str, Any] | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(events.put_nowait, event)

    threading.Thread(target=_work, args=(subject, asked, turns, pace, tell), daemon=True).start()
    try:
        while (event := await events.get()) is not None:
            yield _line(event)
    finally:
        pace.end()
        del at_work[name]


def _work(
    subject: Subject,
    asked: Asked,
    turns: Turns,
    pace: Pace,
    tell: Callable[[dict[str, Any] | None], None],
) -> None:
    """Answer one question when its turn has come, and tell every event; None ends them."""
    waiting = {
        "event": "waiting",
        "message": "another answer is being written, and yours waits for its turn; "
        f"if that one is held, it is ended after {PATIENCE:.0f} seconds",
    }
    if not turns.take(pace, waits=lambda: tell(waiting)):
        return
    n = 0
    try:
        for event in answer(subject, asked, pace=pace):
            n += sum(len(row) for row in event.get("rows", ())[:1])
            tell(event)
    except InputError as error:
        tell(_error(str(error)))
    except Exception as error:  # whatever the model does, the server goes on
        _logger.exception("an answer failed")
        tell(_error(f"the model failed after {max(0, n - 1)} tokens: {type(error).__name__}: {error}"))
    finally:
        turns.give_back()
        tell(None)


def _error(message: str) -> dict[str, Any]:
    return {"event": "error", "message": message}


def _line(event: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(event)}\n\n".encode()
