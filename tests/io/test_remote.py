"""Places that are URLs, and what is said where their store cannot be had."""

import sys
from pathlib import Path

import pytest

from if_circuits.cli import main as cli
from if_circuits.errors import InputError
from if_circuits.io.remote import Remote, path_of, url_of


@pytest.mark.parametrize("place", ["runs/x", "/runs/x", Path("runs/x"), "file:///runs/x", "C:/x", "a:b", ""])
def test_a_path_is_no_url(place: str | Path):
    assert url_of(place) is None


def test_a_url_is_one_with_or_without_a_slash_at_its_end():
    assert url_of("s3://bucket/x/") == url_of("s3://bucket/x") == "s3://bucket/x"
    assert path_of("file:///runs/x") == Path("/runs/x")


def test_a_package_that_is_missing_is_named_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    assert cli.main(["report", "gs://bucket/x"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "gs://bucket/x needs" in said
    assert "if-circuits[remote]" in said
    assert "gcsfs" in said


@pytest.mark.parametrize("url", ["nosuchstore://x/y", "memory://"])
def test_what_is_no_place_is_refused(url: str):
    with pytest.raises(InputError, match=f"^{url}"):
        Remote(url).listing()


@pytest.mark.parametrize("command", ["calibrate", "known-answers", "compare"])
def test_a_url_is_refused_where_a_folder_of_this_machine_is_needed(
    command: str, capsys: pytest.CaptureFixture[str]
):
    studies = ["a", "b"] if command == "compare" else []
    with pytest.raises(SystemExit):
        cli.main([command, *studies, "--out", "s3://bucket/x"])
    assert "s3://bucket/x is a URL; expected a directory of this machine" in capsys.readouterr().err


def test_an_object_is_created_once_and_read_and_removed():
    remote = Remote("memory://created/once")
    assert remote.read("x") is None
    assert remote.create("x", b"1")
    assert not remote.create("x", b"2")
    assert remote.read("x") == b"1"
    remote.remove(["x", "y"])
    assert remote.listing() == {}
