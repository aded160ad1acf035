import os
import subprocess
import sys
from pathlib import Path

import pytest

from if_circuits.errors import InputError
from if_circuits.study.lock import locked

HOLD = """
import sys, time
from pathlib import Path
from if_circuits.study.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_told_which_holds_the_directory_until_it_dies(tmp_path: Path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"in use by process {holder.pid}"), locked(tmp_path):
            pass
        holder.kill()
        holder.wait()
        with locked(tmp_path):
            assert (tmp_path / ".lock").read_text() == str(os.getpid())


def test_the_lock_ends_with_the_block_even_by_an_error(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "new"):
        raise ZeroDivisionError
    with locked(tmp_path / "new"):
        pass


def test_a_block_that_fails_before_it_wrote_anything_leaves_no_directory(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "above" / "new"):
        raise ZeroDivisionError
    assert not (tmp_path / "above").exists()
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "new"):
        (tmp_path / "new" / "work").write_text("hours of it")
        raise ZeroDivisionError
    assert (tmp_path / "new" / "work").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write a study"), locked(tmp_path / "file" / "study"):
        pass
