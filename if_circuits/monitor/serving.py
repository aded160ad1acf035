"""Serves the monitor on loopback, at an address that nobody can guess."""

from __future__ import annotations

import socket
from collections.abc import Callable
from secrets import token_urlsafe
from typing import TYPE_CHECKING

import uvicorn

from if_circuits.errors import InputError
from if_circuits.monitor.guard import LOOPBACK
from if_circuits.monitor.server import make_app

if TYPE_CHECKING:
    from if_circuits.monitor.subject import Subject


def serve(subject: Subject, *, port: int | None, announce: Callable[[str], None]) -> None:
    """Serve until interrupted; `announce` is told the address once it can be opened.

    Raises InputError for a port that is taken.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((LOOPBACK, port or 0))
        except (OSError, OverflowError) as error:
            raise InputError(
                f"port {port} cannot be used ({error}); choose another, or leave --port out"
            ) from error
        bound, token = listening.getsockname()[1], token_urlsafe(24)
        server = uvicorn.Server(
            uvicorn.Config(
                make_app(subject, token=token, port=bound),
                log_level="warning",
                access_log=False,
                lifespan="off",
            )
        )
        listening.listen()
        announce(f"http://{LOOPBACK}:{bound}/{token}/")
        server.run(sockets=[listening])
