"""The site has a page for everything and needs nothing from elsewhere; `make docs` checks the rest."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def configuration() -> dict[str, Any]:
    return yaml.load((ROOT / "mkdocs.yml").read_text(), yaml.BaseLoader)


def leaves(tree: Any) -> list[str]:
    """The pages that a navigation names."""
    if isinstance(tree, str):
        return [tree]
    values = tree.values() if isinstance(tree, dict) else tree
    return [leaf for value in values for leaf in leaves(value)]


def test_the_navigation_names_every_page_once():
    pages = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
    assert sorted(leaves(configuration()["nav"])) == pages


def test_every_part_of_the_package_has_its_place_in_the_reference():
    text = "\n".join(path.read_text() for path in (DOCS / "reference").glob("*.md"))
    documented = set(re.findall(r"^::: if_circuits\.(\w+)$", text, re.MULTILINE))
    package = ROOT / "if_circuits"
    parts = {path.parent.name for path in package.glob("*/__init__.py")} | {"analyses"}
    parts |= {path.stem for path in package.glob("*.py")} - {"__init__"}
    # The command line has a page of its own, in words.
    assert documented == parts - {"cli"}


def test_no_page_asks_another_server_for_anything():
    assert configuration()["theme"]["font"] == "false"
    assert not {"extra_javascript", "extra_css", "repo_url", "extra"} & set(configuration())
    for page in DOCS.rglob("*.md"):
        assert not re.findall(r"!\[[^]]*\]\(http|<script|<link|<iframe|<img", page.read_text()), page
