"""Units on a local Ray of two workers, where Ray is installed; and what is said where it is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from if_circuits.cli import main as cli
from if_circuits.engine import ray_units
from if_circuits.engine.choice import open_engine
from if_circuits.errors import InputError
from tests.engine.units import Numbered, drawn

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install 'if-circuits[ray]'")


def by_a_process(*command: str) -> dict[str, Any]:
    """What `python -m` with these arguments prints; pytest itself has no sockets."""
    with TemporaryDirectory(prefix="ray") as place:  # its sockets' names must be short
        environment = {**os.environ, "RAY_TMPDIR": place, "RAY_USAGE_STATS_ENABLED": "0"}
        done = subprocess.run(
            [sys.executable, "-m", *command], capture_output=True, text=True, check=False, env=environment
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@needs_ray
def test_a_study_on_ray_whose_driver_and_workers_are_killed_is_the_local_one_byte_for_byte(tmp_path: Path):
    found = by_a_process("tests.engine.study_on_ray", str(tmp_path))
    assert found["drivers"] >= 2, "it was through before it could be killed"
    assert found["workers"] >= 1
    assert found["files"] > 30
    assert found["differ"] == {"ray": [], "elsewhere": []}


@pytest.mark.slow
@needs_ray
def test_ray_gives_the_same_results_in_order_survives_killed_workers_and_names_units(tmp_path: Path):
    found = by_a_process("tests.engine.on_ray", str(tmp_path))
    assert found["drawn"] == [drawn(Numbered(number)) for number in range(8)]
    assert found["killed"] == list(range(8))
    assert {path.name for path in tmp_path.iterdir()} == {"died-2", "died-5", "held"}
    assert found["raised"] == ["three is not wanted", "at work on unit 3"]
    # Of actors, which hold what units need.
    for factor in (3, 5, 7):
        assert found[f"times {factor}"] == [factor * number for number in range(8)]
    assert found["drawn again"] == found["drawn"]
    held = [path.name for path in (tmp_path / "held").iterdir()]
    assert {"died-2", "died-5"} <= set(held)
    for factor in (3, 5):  # a second time in one actor would have been an error
        assert 1 <= sum(name.endswith(f"-{factor}") for name in held if "loaded" in name) <= 2
    assert found["not loaded"][0] == "there is no such factor here"
    assert "1 GPU(s) was asked for, and the Ray cluster has 0" in found["without a GPU"]


def test_a_node_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ray_units, "__version__", "0.0.1")
    with pytest.raises(InputError, match=r"a node has if-circuits 0\.0\.1, and this study is run by 9"):
        ray_units.of_version(drawn, Numbered(0), "9")


def test_without_ray_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match="needs Ray, which is not installed"):
        open_engine("ray", workers=2)
    out = tmp_path / "calibration"
    assert cli.main(["calibrate", "--out", str(out), "--engine", "ray"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "if-circuits[ray]" in said
    assert not out.exists()
