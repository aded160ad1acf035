"""Digests of code: what changes a result changes them, and nothing else does."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from if_circuits.io.code import code_digest

SOURCE = '''
"""A module."""
from {package}.helpers import bound

LIMIT = 3


def check(text: str) -> bool:
    """Whether it is short."""
    if not text:
        raise ValueError("no text")
    return len(text) < bound(LIMIT)  # in characters
'''
HELPERS = "def bound(n):\n    return n + 1\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], ModuleType]:
    """Writes a package of a user's own, and imports it anew."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"mine_{tmp_path.name.replace('-', '_')}"
    made = iter(range(10**9, 10**9 + 100))

    def write(source: str, helpers: str) -> ModuleType:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        contents = {"__init__": "", "task": source.replace("{package}", name), "helpers": helpers}
        for module, content in contents.items():
            (folder / f"{module}.py").write_text(content)
            os.utime(folder / f"{module}.py", (moment := next(made), moment))
        for module in [each for each in sys.modules if each.startswith(name)]:
            del sys.modules[module]
        importlib.invalidate_caches()
        return importlib.import_module(f"{name}.task")

    return write


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# in characters", "# another comment"),
        ("Whether it is short.", "Whether it is not long."),
        ("A module.", "The module."),
        ("\n\n\ndef check", "\ndef check"),
        ("text: str) -> bool", "text)"),
        ('"no text"', '"there is no text"'),
        ("return len(text) < bound(LIMIT)", "return (len(text)\n        < bound(LIMIT))"),
    ],
)
def test_what_changes_no_result_changes_no_digest(
    package: Callable[[str, str], ModuleType], old: str, new: str
):
    before = code_digest(package(SOURCE, HELPERS).check)
    assert old in SOURCE
    assert code_digest(package(SOURCE.replace(old, new), HELPERS).check) == before


@pytest.mark.parametrize(
    ("source", "helpers"),
    [
        (SOURCE.replace("LIMIT = 3", "LIMIT = 4"), HELPERS),
        (SOURCE.replace("<", "<="), HELPERS),
        (SOURCE.replace("ValueError", "TypeError"), HELPERS),
        (SOURCE, HELPERS.replace("1", "2")),
    ],
    ids=["a constant", "an operator", "what is raised", "what it imports"],
)
def test_what_may_change_a_result_changes_the_digest(
    package: Callable[[str, str], ModuleType], source: str, helpers: str
):
    before = code_digest(package(SOURCE, HELPERS).check)
    assert code_digest(package(source, helpers).check) != before


def closing_over(value: object) -> Callable[[], object]:
    return lambda: value


class Judge:
    def __init__(self, weights: object) -> None:
        self.weights = weights


def test_the_values_behind_a_function_or_an_object_count():
    values = [1, 1.0, "1", None, (1, 2), [1, 2], {"a": 1}, {"a": 2}, {"a", "b"}, np.eye(2), np.eye(3)]
    assert len({code_digest(closing_over(value)) for value in values}) == len(values)
    assert len({code_digest(Judge(value)) for value in values}) == len(values)
    assert code_digest(Judge({"a": 1, "b": 2})) == code_digest(Judge({"b": 2, "a": 1}))


def test_code_without_a_file_counts_by_what_it_does(caplog: pytest.LogCaptureFixture):
    def cell(limit: int, comment: str = "") -> object:
        names: dict[str, object] = {"__name__": "a_notebook"}
        exec(f"LIMIT = {limit}\ndef bound(): return LIMIT\ndef f(x): return x < bound() {comment}", names)
        return names["f"]

    caplog.set_level("INFO")
    assert code_digest(cell(3)) == code_digest(cell(3, "# short")) != code_digest(cell(4))
    assert "a_notebook has no source file" in caplog.text


def test_every_process_finds_the_same():
    code = (
        "from if_circuits.io.code import code_digest\n"
        "from if_circuits.tasks.judges.choice import default_judges\n"
        "from if_circuits.tasks.registry import get_tasks\n"
        "print(code_digest(*get_tasks()), code_digest(default_judges()))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_modules_can_be_left_out(package: Callable[[str, str], ModuleType]):
    def digest(helpers: str) -> str:
        return code_digest(package(SOURCE, helpers), skip=lambda name: name.endswith("helpers"))

    assert digest(HELPERS) == digest(HELPERS.replace("1", "2"))
