"""A real object store on this machine: moto's S3 behind a socket, which counts what is asked of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from threading import Thread
from typing import Any

WRONG_KEY = "wrong"
_REFUSED = (
    b"<Error><Code>InvalidAccessKeyId</Code>"
    b"<Message>The AWS Access Key Id you provided does not exist in our records.</Message></Error>"
)


class ObjectStore:
    """S3 as a WSGI application; `asked` has the method, the path and the bytes given of each request."""

    def __init__(self) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app

        self.asked: list[tuple[str, str, int]] = []
        self._s3: Any = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if f"Credential={WRONG_KEY}/" in environ.get("HTTP_AUTHORIZATION", ""):
            start_response("403 Forbidden", [("Content-Type", "application/xml")])
            return [_REFUSED]
        body = b"".join(self._s3(environ, start_response))
        self.asked.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], len(body)))
        return [body]

    def given(self, pattern: str) -> int:
        """Bytes of the content of objects whose paths match."""
        return sum(n for method, path, n in self.asked if method == "GET" and re.search(pattern, path))


@contextmanager
def serving() -> Generator[tuple[ObjectStore, str]]:
    """A store, and its address on loopback."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
            del type, message, args

    store = ObjectStore()
    server = make_server("127.0.0.1", 0, store, threaded=True, request_handler=Quiet)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield store, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
