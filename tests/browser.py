"""A real browser for tests: the system's Chromium under Playwright, which downloads nothing."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

VIEWPORTS = ((390, 844), (1280, 900), (1920, 1080))


def find_chromium() -> str:
    """The path of Chromium. Skips the test, with what is missing, where there is none."""
    pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    return found


@contextmanager
def chromium() -> Generator[Any]:
    """A browser. Skips where there is none."""
    path = find_chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watched:
    """What a page said and asked for while it was open."""

    page: Any
    complaints: list[str] = field(default_factory=list[str])
    requests: list[str] = field(default_factory=list[str])

    def check(self, *, allowed: str = "file:") -> None:
        """No error in the console, and no request that leaves what is allowed."""
        assert self.complaints == []
        left = [url for url in self.requests if not url.startswith((allowed, "data:", "blob:"))]
        assert left == []


def watched(browser: Any, **options: Any) -> Watched:
    """A new page that keeps a record."""
    page = browser.new_page(**options)
    page.set_default_timeout(8000)
    seen = Watched(page)
    page.on(
        "console",
        lambda message: message.type in ("error", "warning") and seen.complaints.append(message.text),
    )
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("request", lambda request: seen.requests.append(request.url))
    return seen


def violations(page: Any) -> list[str]:
    """What axe-core finds, one line each. Skips where it is not installed."""
    axe = pytest.importorskip(
        "axe_playwright_python.base", reason="no axe-core: pip install axe-playwright-python"
    )
    # The page's policy forbids scripts of others; the test's own goes around it.
    page.evaluate(f"() => {{ {axe.AXE_FILE_PATH.read_text('utf-8')} }}")
    found = page.evaluate("async () => (await axe.run(document)).violations")
    return [f"{one['id']}: {one['help']}; {one['nodes'][0]['target']}, {len(one['nodes'])}" for one in found]
