"""Who may work on a study at a URL, and when what is written is uploaded, in a store in memory."""

from __future__ import annotations

import json
import os
import platform
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from if_circuits.errors import InputError
from if_circuits.io.remote import Remote
from if_circuits.study import uploading
from if_circuits.study.claim import SILENCE
from if_circuits.study.lock import locked
from if_circuits.study.place import open_place
from tests.study.mirror.files import FILES, URL, here, there, write


def lock_of(*, process: int, host: str | None = None, heard: datetime | None = None) -> bytes:
    told = {
        "token": "another",
        "host": host or "elsewhere",
        "process": process,
        "heard": (heard or datetime.now(UTC)).isoformat(),
    }
    return json.dumps(told).encode()


def test_a_second_machine_is_refused_and_told_what_to_do(machine: Callable[[str], None]):
    root = open_place(URL, to_write=True)
    with locked(root):
        machine("second")
        other = open_place(URL, to_write=True)
        expected = rf"{URL} is in use by process {os.getpid()} on .*15 minutes.*remove {URL}/.lock"
        with pytest.raises(InputError, match=expected), locked(other):
            pass
    with locked(other):
        assert ".lock" in there()
    assert there() == {}


@pytest.mark.parametrize(
    "holder",
    [
        lock_of(process=1, heard=datetime.now(UTC) - SILENCE - timedelta(minutes=1)),
        lock_of(process=2**22 + 1, host=platform.node()),
    ],
    ids=["silent", "a process of this machine that is no more"],
)
def test_a_holder_that_died_is_followed(holder: bytes, caplog: pytest.LogCaptureFixture):
    root = open_place(URL, to_write=True)
    Remote(URL).write(".lock", holder)
    with locked(root):
        assert "has died; going on" in caplog.text
    assert there() == {}


def test_a_run_that_was_taken_over_uploads_nothing_more():
    root = open_place(URL, to_write=True)
    with pytest.raises(InputError, match="was taken over by process 7 on elsewhere"), locked(root):
        Remote(URL).write(".lock", lock_of(process=7))
        write(root, FILES)
    assert set(there()) == {".lock"}
    assert set(here(root)) == {"study.json", *FILES}, "it is kept here"


def test_what_a_run_writes_is_uploaded_while_it_works_and_when_it_fails(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(uploading, "PACE", 0.01)
    root = open_place(URL, to_write=True)
    with pytest.raises(ZeroDivisionError), locked(root):
        write(root, FILES)
        for _ in range(1000):
            if set(there()) == {".lock", "study.json", *FILES}:
                break
            time.sleep(0.01)
        else:
            pytest.fail("nothing was uploaded meanwhile")
        monkeypatch.setattr(uploading, "PACE", 60)
        write(root, {**FILES, "results/specificity.parquet": b"before it failed"})
        raise ZeroDivisionError
    assert there() == here(root)


def test_a_run_that_is_terminated_uploads_what_it_has_and_gives_the_study_free():
    root = open_place(URL, to_write=True)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), locked(root):
        write(root, FILES)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    assert there() == here(root)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_mirror_in_use_here_is_read_as_it_lies():
    root = open_place(URL, to_write=True)
    with locked(root):
        write(root, FILES)
        assert open_place(URL) == root
        assert set(here(root)) == {"study.json", *FILES}
