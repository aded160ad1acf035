"""One process at a time in a study at a URL: an object there says who it is, as long as it is at work.

A store creates an object once, so of two that begin together one is refused. That a holder has died is known
from its process, where it was one of this machine, and else from its silence.
"""

from __future__ import annotations

import json
import logging
import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from if_circuits.errors import InputError
from if_circuits.io.remote import Remote

OBJECT = ".lock"
SILENCE = timedelta(minutes=15)
"""After which a holder counts as dead; it is heard of about every minute, and between groups of files."""
_RENEWED = timedelta(minutes=1)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Holder:
    """Who has claimed a URL, and when it last said so."""

    token: str
    host: str
    process: int
    heard: datetime

    @classmethod
    def at(cls, remote: Remote) -> Holder | None:
        """Who holds a URL; None where nobody does."""
        content = remote.read(OBJECT)
        if content is None:
            return None
        try:
            told: dict[str, Any] = json.loads(content)
            heard = datetime.fromisoformat(told["heard"]).astimezone(UTC)
            return cls(str(told["token"]), str(told["host"]), int(told["process"]), heard)
        except (ValueError, KeyError, TypeError):
            return cls("", "an unknown machine", 0, datetime.now(UTC))

    @property
    def is_dead(self) -> bool:
        """Whether it cannot be at work any more."""
        here = self.host == platform.node() and not _is_alive(self.process)
        return here or datetime.now(UTC) - self.heard > SILENCE

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}, last heard of at {self.heard:%Y-%m-%d %H:%M} UTC"


class Claim:
    """A claim to a URL, held until it is released."""

    def __init__(self, remote: Remote) -> None:
        self.token = uuid4().hex
        self._remote = remote
        self._said = datetime.now(UTC)

    @classmethod
    def take(cls, remote: Remote, *, before: str = "") -> Claim:
        """Claim a URL. Raises InputError where another process holds it.

        `before` is the token of an earlier claim whose process is known to be dead.
        """
        claim = cls(remote)
        while not remote.create(OBJECT, claim._content()):
            holder = Holder.at(remote)
            if holder is None:
                continue  # released meanwhile
            if holder.token != before and not holder.is_dead:
                raise InputError(
                    f"{remote.url} is in use by {holder}; wait for it to end, or choose another URL. If it "
                    f"died, the same command takes over after {SILENCE.seconds // 60} minutes of silence, or "
                    f"once you remove {remote.url}/{OBJECT}"
                )
            _logger.warning("%s was in use by %s, which has died; going on from there", remote.url, holder)
            remote.remove([OBJECT])
        claim._check()
        return claim

    def renew(self) -> None:
        """Say that this process is alive. Raises InputError where another one took over."""
        self._check()
        if datetime.now(UTC) - self._said > _RENEWED:
            self._said = datetime.now(UTC)
            self._remote.write(OBJECT, self._content())

    def release(self) -> None:
        """Give the URL free, if it is held still."""
        with suppress(InputError):
            self._check()
            self._remote.remove([OBJECT])

    def _check(self) -> None:
        holder = Holder.at(self._remote)
        if holder is None or holder.token != self.token:
            raise InputError(
                f"{self._remote.url} was taken over by {holder or 'somebody who removed its lock'}: nothing "
                "more is uploaded from here; the same command goes on when it is free"
            )

    def _content(self) -> bytes:
        told = {
            "token": self.token,
            "host": platform.node(),
            "process": os.getpid(),
            "heard": self._said.isoformat(),
        }
        return json.dumps(told).encode()


def token_at(remote: Remote) -> str:
    """The token of whoever holds a URL; empty where nobody does."""
    holder = Holder.at(remote)
    return "" if holder is None else holder.token


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True
