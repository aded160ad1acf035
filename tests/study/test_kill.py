"""`kill -9` at random moments of a real run: the tables are those of a run that was left alone."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def test_nothing_is_lost_whenever_a_run_is_killed_or_a_file_damaged():
    command = [sys.executable, "-W", "ignore", "-m", "tests.study.kill", "--kills", "12"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["lost"] == []
    assert found["kills"] >= 12
    assert found["damaged"] >= 1
    assert found["finished"] >= 1
    assert len(found["moments"]) >= 3, "all kills fell into the same stages"
