"""The linter of imports, as `make lint` runs it, sees what the house forbids: each fault is planted."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

PLANTED = {
    "io/files.py": "\ndef later():\n    from if_circuits.study import Study\n    return Study\n",
    "analyses/specificity/analysis.py": (
        "\nif TYPE_CHECKING:\n    import if_circuits.analyses.compliance.figure\n"
    ),
    "statistics/trend.py": "\nimport torch\n",
    "tasks/task.py": "\nfrom if_circuits.tasks.verification import verify\n",
    "helpers.py": '"""A module whose place in the order nobody chose."""\n',
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the linter says of the tree with every fault in it."""
    tree = tmp_path_factory.mktemp("tree")
    subprocess.run(["make", "--silent", "-C", str(ROOT), "tree", f"TREE={tree}"], check=True)
    for path, code in PLANTED.items():
        with (tree / "if_circuits" / path).open("a") as module:
            module.write(code)
    linter = Path(sys.executable).parent / "lint-imports"
    command = [str(linter), "--no-cache", "--no-logo", str(ROOT / "pyproject.toml")]
    environment = {**os.environ, "COLUMNS": "400"}
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1, done.stderr
    return re.sub(r"\s+", " ", done.stdout)


@pytest.mark.parametrize(
    "fault",
    [
        "if_circuits.io.files -> if_circuits.study",
        "if_circuits.analyses.specificity.analysis -> if_circuits.analyses.compliance.figure",
        "if_circuits.statistics.trend -> torch",
        "No circle between the modules of a folder BROKEN",
        "not listed as layers: - if_circuits.helpers",
    ],
)
def test_a_planted_fault_is_named(said: str, fault: str):
    assert fault in said


def contracts() -> list[dict[str, Any]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def test_the_page_on_the_architecture_has_the_order_that_is_proved():
    (layers,) = (contract["layers"] for contract in contracts() if contract["type"] == "layers")
    proved = [("analyses" if ":" in layer else layer) for layer in reversed(layers)]
    page = (ROOT / "docs" / "architecture.md").read_text()
    lines = re.findall(r"^\d+\. (.+)$", page, re.MULTILINE)
    assert [name for line in lines for name in re.findall(r"`([\w.]+)`", line)] == proved


def test_no_contract_has_an_exception():
    assert not [contract["name"] for contract in contracts() if "ignore_imports" in contract]


def test_every_question_is_kept_from_the_others():
    (independent,) = (contract["modules"] for contract in contracts() if contract["type"] == "independence")
    folders = {path.parent.name for path in (ROOT / "analyses").glob("*/__init__.py")}
    questions = folders - {"shared", "validation"}
    assert {name.removeprefix("if_circuits.analyses.") for name in independent} == questions
