"""The site has a page for everything and needs nothing from elsewhere; `make docs` checks the rest."""

import re
import subprocess
import sys
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


def test_every_module_of_a_study_is_on_its_map():
    folder = ROOT / "if_circuits" / "study"
    named = set(re.findall(r"`(\w+)`", (folder / "__init__.py").read_text().split('"""')[1]))
    assert {part.rpartition(".")[2] for part in parts(folder, "")} <= named


def test_no_page_asks_another_server_for_anything():
    assert configuration()["theme"]["font"] == "false"
    assert not {"extra_javascript", "extra_css", "repo_url", "extra"} & set(configuration())
    for page in DOCS.rglob("*.md"):
        assert not re.findall(r"!\[[^]]*\]\(http|<script|<link|<iframe|<img", page.read_text()), page


def test_each_extension_on_its_page_can_be_registered():
    blocks = re.findall(
        r"^```python\n(.*?)^```", (DOCS / "extending.md").read_text(), re.MULTILINE | re.DOTALL
    )
    ask = """
from if_circuits.models.presets import presets
from if_circuits.probes.base import probes
from if_circuits.tasks.judges.registry import judges
from if_circuits.tasks.registry import tasks
from if_circuits.erasure.base import erasure_methods

assert judges.get("shouting")().judge(["NO!", "no"])[0].label == "loud"
assert presets.get("my-qwen").source == "Qwen/Qwen2.5-1.5B-Instruct"
assert tasks.get("ends_with").family == "lexical"
X = np.array([[0.0, 9.0], [0.0, 4.0], [1.0, 9.0], [1.0, 4.0]])
y, groups = np.array([True, False, True, False]), np.array(["a", "a", "b", "b"])
scores = probes.get("one-coordinate")(X, y, groups=groups, seed=0).scores(X)
assert (scores[y] > scores[~y].max()).all()
erased = erasure_methods.get("one-coordinate")().fit(X, y, groups=groups, seed=0).remove(X)
assert np.ptp(erased[:, 1]) < 1e-12 and np.ptp(erased[:, 0]) == 1.0
"""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([*blocks, ask])], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
