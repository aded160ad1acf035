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


def parts(folder: Path, name: str) -> set[str]:
    """Names of the modules and folders of a package, by their full path."""
    found = {path.parent.name for path in folder.glob("*/__init__.py")}
    found |= {path.stem for path in folder.glob("*.py")} - {"__init__"}
    return {f"{name}.{part}" for part in found}


def test_every_part_of_the_package_has_its_place_in_the_reference():
    text = "\n".join(path.read_text() for path in (DOCS / "reference").glob("*.md"))
    documented = re.findall(r"^::: (if_circuits\.[\w.]+)$", text, re.MULTILINE)
    expected = parts(ROOT / "if_circuits", "if_circuits") | parts(ROOT / "analyses", "if_circuits.analyses")
    # The command line has a page of its own, in words.
    assert sorted(documented) == sorted(expected - {"if_circuits.cli", "if_circuits.analyses"})


def test_no_page_asks_another_server_for_anything():
    assert configuration()["theme"]["font"] == "false"
    assert not {"extra_javascript", "extra_css", "repo_url", "extra"} & set(configuration())
    for page in DOCS.rglob("*.md"):
        assert not re.findall(r"!\[[^]]*\]\(http|<script|<link|<iframe|<img", page.read_text()), page
