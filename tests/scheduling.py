"""Which tests run in the same process, where several are at work: those that share a costly fixture.

A fixture of a module or of the session is made once a process. Tests of a module that has one stay together,
and so do those of a folder whose conftest has one; all others are handed out one by one.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

_TESTS = Path(__file__).parent
_COSTLY = ('scope="module"', 'scope="session"')


class ByFixture(LoadScopeScheduling):
    """Hands out tests that share a fixture together, the largest groups first."""

    def _split_scope(self, nodeid: str) -> str:
        return home_of(nodeid.split("::")[0]) or nodeid


@cache
def home_of(module: str) -> str:
    """The folder or the module whose tests belong together; empty where each is on its own."""
    path = _TESTS.parent / module
    folder = path.parent
    if folder != _TESTS and _has_costly(folder / "conftest.py"):
        return str(folder)
    return str(path) if _has_costly(path) else ""


def _has_costly(path: Path) -> bool:
    return path.is_file() and any(scope in path.read_text("utf-8") for scope in _COSTLY)
