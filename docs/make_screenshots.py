"""Pictures of the report and of the monitor for these pages, taken in a real browser.

    python docs/make_screenshots.py --report runs/if-tiny/report.html
    python docs/make_screenshots.py --report REPORT --name report-smollm2 --only behind-a-cell
    python docs/make_screenshots.py --monitor ADDRESS --prompt TEXT --name monitor-if-tiny

It needs Playwright and a Chromium of the system's, and writes PNG files of 128 colours into docs/figures.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

FIGURES = Path(__file__).parent / "figures"
WIDTH, HEIGHT = 1280, 860
COLOURS = 128


def main() -> None:
    """Take what was asked for."""
    parser = argparse.ArgumentParser(description="Take the pictures of docs/.")
    parser.add_argument("--report", type=Path, help="report.html of a study")
    parser.add_argument("--monitor", help="address of a running monitor")
    parser.add_argument("--prompt", default="", help="what to ask it")
    parser.add_argument("--remove", default="", help="task whose directions to remove")
    parser.add_argument("--only", nargs="*", help="names of pictures of the report, instead of all")
    parser.add_argument(
        "--hold", type=int, default=0, help="hold the answer after so many tokens, and step once"
    )
    parser.add_argument("--name", default="report", help="how the files' names begin")
    arguments = parser.parse_args()
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        sys.exit("no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        if arguments.report is not None:
            page.goto(arguments.report.resolve().as_uri())
            _report(page, arguments.name, arguments.only)
        if arguments.monitor is not None:
            page.goto(arguments.monitor)
            _monitor(page, arguments)
        browser.close()


def _report(page: Any, name: str, only: list[str] | None) -> None:
    def save(what: str, part: str | None = None) -> None:
        if only is None or what in only:
            _save(page, f"{name}-{what}", part)

    save("card", "#cross_task_transfer")
    cell = page.locator("#cross_task_transfer .cell").nth(1)
    cell.scroll_into_view_if_needed()
    cell.hover()
    save("cell")
    cell.click()
    save("behind-a-cell")
    page.keyboard.press("Escape")
    changed = page.locator("#causal_ablation .cell.frame").nth(2)
    if changed.count():
        changed.click()
        page.locator("dialog table.answers").first.scroll_into_view_if_needed()
        save("ablated-answers")
        page.keyboard.press("Escape")
    if page.locator("#localisation").count():
        page.mouse.move(0, 0)
        save("localisation", "#localisation")
    page.locator("#browser").get_by_label("which").select_option("tokens")
    page.locator("button.response").nth(1).click()
    page.locator("#responses").evaluate("(section) => section.scrollIntoView()")
    page.locator(".token").nth(4).hover()
    save("responses")


def _monitor(page: Any, arguments: argparse.Namespace) -> None:
    page.fill("#prompt", arguments.prompt)
    if arguments.remove:
        page.locator(f".ablate input[value={arguments.remove}]").check()
    page.click("#ask")
    if arguments.hold:
        page.locator(".token").nth(arguments.hold).wait_for(timeout=600_000)
        page.click("#pause")
        page.get_by_text("Held after").wait_for()
        page.click("#step")
        page.wait_for_timeout(5000)
        _save(page, f"{arguments.name}-held", "body")
        page.click("#pause")
    page.wait_for_selector("#save:not([disabled])", timeout=600_000)
    _save(page, arguments.name, "body")


def _save(page: Any, name: str, part: str | None = None) -> None:
    path = FIGURES / f"{name}.png"
    taken = (page if part is None else page.locator(part)).screenshot()
    # The colours of few pixels, such as those of families, are kept too.
    few = Image.open(io.BytesIO(taken)).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE)
    few.save(path, optimize=True)
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
