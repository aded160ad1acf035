"""Who may talk to the monitor: this machine's own browser, on the address that was printed, and nobody else.

A page of another site can make a browser send requests to this machine. It knows no token, its requests carry
its own Origin, and a name that it points here is no loopback name.
"""

from __future__ import annotations

from secrets import compare_digest

from starlette.requests import Request

LOOPBACK = "127.0.0.1"


def refusal(request: Request, *, token: str, port: int) -> tuple[int, str] | None:
    """Status and message for a request that is not to be answered; None for one that is."""
    hosts = {f"{name}:{port}" for name in (LOOPBACK, "localhost")}
    host = request.headers.get("host", "")
    if host not in hosts:
        return 403, f"the host {host!r} is not this monitor's; use the address that it printed"
    origin = request.headers.get("origin")
    if origin is not None and origin not in {f"http://{each}" for each in hosts}:
        return 403, f"requests from {origin!r} are not answered; use the address that the monitor printed"
    given = str(request.path_params.get("token", ""))
    if not compare_digest(given.encode("utf-8"), token.encode("utf-8")):
        return 403, "the token in the address is not this monitor's; use the address that it printed"
    return None
