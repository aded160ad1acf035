"""How far an answer may be written: on and on, held, one token more, or no further.

Whoever writes asks before each token, and waits while the answer is held. So a pause stops the model itself,
and costs no work. A held answer keeps its turn until somebody else has waited for long.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

Order = Literal["hold", "step", "go"]
ORDERS: tuple[Order, ...] = ("hold", "step", "go")
PATIENCE = 30.0
"""Seconds that a question waits behind a held answer before that one is ended."""
_POLL = 0.05


class Pace:
    """The pace of one answer; any thread may order."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._allowed: int | None = None
        """Tokens that may still be written; None without limit."""
        self._held_since: float | None = None
        self._ended = False
        self.why = ""
        """Why it was ended, for its reader; empty where the reader left or nothing ended it."""

    def order(self, order: Order) -> None:
        """Hold the answer, let it go on by one token and hold it, or let it go on."""
        with self._change:
            if order == "go":
                self._allowed = self._held_since = None
            else:
                self._allowed = 0 if order == "hold" else (self._allowed or 0) + 1
                self._held_since = self._held_since or time.monotonic()
            self._change.notify_all()

    def end(self, why: str = "") -> None:
        """Have no further token written."""
        with self._change:
            self.why = self.why or why
            self._ended = True
            self._change.notify_all()

    @property
    def ended(self) -> bool:
        """Whether no further token is to be written."""
        return self._ended

    def held_for(self) -> float:
        """Seconds since it was held; steps count as held."""
        with self._change:
            return 0.0 if self._held_since is None else time.monotonic() - self._held_since

    def take(self) -> bool | None:
        """Whether one more token may be written, which is then counted; None while the answer is held."""
        with self._change:
            if self._ended or self._allowed is None:
                return not self._ended
            if self._allowed == 0:
                return None
            self._allowed -= 1
            return True

    def wait(self) -> None:
        """Wait as long as the answer is held."""
        with self._change:
            self._change.wait_for(lambda: self._ended or self._allowed != 0)


class Turns:
    """One answer is written at a time."""

    def __init__(self) -> None:
        self._free = threading.Lock()
        self._writing: Pace | None = None

    def take(self, pace: Pace, *, waits: Callable[[], None]) -> bool:
        """Wait for the turn of an answer, and say once that it waits; False when it ended meanwhile."""
        began, told = time.monotonic(), False
        while not self._free.acquire(timeout=_POLL):
            if pace.ended:
                return False
            if not told:
                told = True
                waits()
            writing = self._writing
            if writing is not None and min(writing.held_for(), time.monotonic() - began) >= PATIENCE:
                writing.end(f"it was held for {PATIENCE:.0f} seconds while another question waited")
        self._writing = pace
        return True

    def give_back(self) -> None:
        """End the turn that was taken."""
        self._writing = None
        self._free.release()
