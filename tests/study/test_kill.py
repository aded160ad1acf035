"""`kill -9` at random moments of a real run: the tables are those of a run that was left alone."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_nothing_is_lost_whenever_a_run_is_killed(checkpoint: Callable[[str], Path], tmp_path: Path):
    command = [sys.executable, "-m", "tests.study.kill", str(checkpoint("llama")), str(tmp_path)]
    done = subprocess.run([*command, "--kills", "24"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["lost"] == []
    assert found["kills"] >= 24
    assert found["finished"] >= 1
    assert len(found["moments"]) >= 3, "all kills fell into the same stages"
