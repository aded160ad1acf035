"""Which tests run in the same process, where several are at work: those that share a costly fixture.

A fixture of a module or of the session is made once a process. Tests of a module that has one stay together,
and so do the modules of a folder that use what its conftest offers; all others are handed out one by one.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

_TESTS = Path(__file__).parent
_FIXTURE = re.compile(r"^@pytest\.fixture(?:\(([^)]*)\))?\ndef (\w+)", re.MULTILINE)
_COSTLY = ('scope="module"', 'scope="session"')


class ByFixture(LoadScopeScheduling):
    """Hands out tests that share a fixture together, the largest groups first."""

    def _split_scope(self, nodeid: str) -> str:
        return home_of(nodeid.split("::")[0]) or nodeid


@cache
def home_of(module: str) -> str:
    """The folder or the module whose tests belong together; empty where each is on its own."""
    path = _TESTS.parent / module
    own, offered = _fixtures(path), _fixtures(path.parent / "conftest.py")
    if path.parent != _TESTS and any(map(_costly, offered.values())):
        used = {name for name, how in offered.items() if "autouse" not in how} - set(own)
        if any(re.search(rf"[(\s]{name}(: |[,)])", path.read_text("utf-8")) for name in used):
            return str(path.parent)
    return str(path) if any(map(_costly, own.values())) else ""


def _costly(how: str) -> bool:
    """Whether a fixture is made once a process; one that every test gets is no reason to stay together."""
    return any(scope in how for scope in _COSTLY) and "autouse" not in how


def _fixtures(path: Path) -> dict[str, str]:
    """The fixtures of a module, and what their decorators say."""
    found = _FIXTURE.findall(path.read_text("utf-8")) if path.is_file() else []
    return {name: how for how, name in found}
