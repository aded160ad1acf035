"""The README is short, and what it and the other documents name is there."""

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from if_circuits.analyses.base import ANALYSES
from if_circuits.analyses.validation.calibration.table import NAME as CALIBRATION
from if_circuits.analyses.validation.known_answers.table import NAME as KNOWN_ANSWERS
from if_circuits.analyses.validation.marked_table import insert_table
from if_circuits.cli.main import main
from tests.benchmarks.page import NAME as SPEED

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
CARDS = sorted((ROOT / "if_circuits" / "assets").glob("*/README.md"))
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())


def test_the_readme_has_at_most_150_lines():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@each_page
def test_relative_links_lead_somewhere(page: Path):
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    files = [target.partition("#")[0] for target in targets if not target.startswith(("http", "#"))]
    assert not [name for name in files if not (page.parent / name).is_file()]


def code(page: Path, language: str) -> list[str]:
    """The page's blocks of code in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def commands(page: Path, program: str) -> Iterator[list[str]]:
    """Every call of a program in the page's shell code or between backticks, as words, without comments."""
    text = [line for block in code(page, "sh") for line in block.splitlines()]
    for line in [*text, *re.findall(r"`([^`\n]+)`", page.read_text())]:
        words = line.partition("#")[0].split()
        if program in words[:1]:
            yield words[1:]


@cache
def targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text()
    return set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))


@each_page
def test_every_target_of_make_that_is_named_exists(page: Path):
    named = {words[0] for words in commands(page, "make")}
    assert named <= targets()


@each_page
def test_every_command_and_option_that_is_named_exists(page: Path, capsys: pytest.CaptureFixture[str]):
    for words in commands(page, "if-circuits"):
        command = words[0]
        if command == "COMMAND":
            continue
        with pytest.raises(SystemExit) as end:
            main([command, "--help"])
        assert end.value.code == 0, command
        offered = set(re.findall(r"--[a-z][\w-]+", capsys.readouterr().out)) | {"--help"}
        assert set(re.findall(r"--[a-z][\w-]+", " ".join(words))) <= offered, words


@pytest.mark.parametrize("page", [*PAGES, *CARDS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_module_that_is_to_be_run_exists(page: Path):
    for name in re.findall(r"-m ((?:if_circuits|tests)[\w.]+)", page.read_text()):
        assert find_spec(name) is not None, name


@each_page
def test_every_path_in_the_repository_that_is_named_exists(page: Path):
    named = re.findall(r"`((?:analyses|if_circuits|examples|tests|docs)/[\w./-]*)`", page.read_text())
    if page.name == "CHANGELOG.md":
        pytest.skip("a changelog names what is gone")
    assert not [path for path in named if "your_question" not in path and not (ROOT / path).exists()]


@each_page
def test_python_code_compiles(page: Path):
    for block in code(page, "python"):
        assert compile(block, str(page), "exec").co_code


@pytest.mark.parametrize(
    ("page", "table"),
    [
        ("README.md", "verdicts"),
        ("docs/results.md", "verdicts"),
        ("docs/results.md", "compliance"),
        ("docs/known-answers.md", KNOWN_ANSWERS),
        ("docs/calibration.md", CALIBRATION),
        ("docs/speed.md", SPEED),
    ],
)
def test_a_script_finds_the_place_of_its_table(page: str, table: str):
    assert "| new |" in insert_table((ROOT / page).read_text(), "| new |\n", name=table)


def test_the_readme_and_the_results_show_the_same_verdicts():
    shown = [re.findall(r"^\| .*\(`\w+`\).*$", (ROOT / page).read_text(), re.MULTILINE)
             for page in ("README.md", "docs/results.md")]  # fmt: skip
    assert len(shown[0]) == len(ANALYSES)
    assert shown[0] == shown[1]


def test_the_versions_agree():
    from if_circuits import __version__

    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_tests_count_lines_wherever_python_does_so_at_no_cost():
    home = Path(sys.executable).parents[1]
    make = ["make", "-s", "-n", "-C", str(ROOT), "test", f"VENV={home}"]
    told = subprocess.run(make, check=True, capture_output=True, text=True).stdout
    assert ("pytest -n 2 --cov" in told) == (sys.version_info >= (3, 12)), told


def test_make_help_tells_every_target_that_a_user_can_call():
    told = subprocess.run(["make", "-s", "-C", str(ROOT), "help"], check=True, capture_output=True, text=True)
    listed = set(re.findall(r"^make ([\w-]+)", told.stdout, re.MULTILINE))
    assert listed == targets() - {"help", "install", "tree"}
