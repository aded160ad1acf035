"""Where the monitor listens, and what its command says."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="pip install 'if-circuits[monitor]'")
import uvicorn

from if_circuits.cli import main as cli
from if_circuits.errors import InputError
from if_circuits.monitor import serving
from if_circuits.monitor.subject import Subject

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Where a server that would run is bound; it does not run."""
    found: list[tuple[str, int]] = []

    def run(_: uvicorn.Server, sockets: list[socket.socket]) -> None:
        found.extend(each.getsockname() for each in sockets)

    monkeypatch.setattr(uvicorn.Server, "run", run)
    return found


def test_it_listens_on_loopback_at_an_address_that_nobody_can_guess(
    subject: Subject, sockets: list[tuple[str, int]]
):
    addresses: list[str] = []
    for _ in range(2):
        serving.serve(subject, port=None, announce=addresses.append)
    assert {host for host, _ in sockets} == {"127.0.0.1"}
    for address, (_, port) in zip(addresses, sockets, strict=True):
        assert re.fullmatch(rf"http://127\.0\.0\.1:{port}/[\w-]{{30,}}/", address)
    assert addresses[0].split("/")[3] != addresses[1].split("/")[3]


def test_a_port_that_is_taken_says_so(subject: Subject):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(InputError, match="cannot be used .*choose another, or leave --port out"):
            serving.serve(subject, port=other.getsockname()[1], announce=print)


@pytest.mark.slow
def test_the_command_works_without_a_study(
    sockets: list[tuple[str, int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["monitor", "if-tiny"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("http://127.0.0.1:")
    assert "without a study: no readings" in said
    assert len(sockets) == 1


def test_a_study_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["monitor", "if-tiny", "--study", str(tmp_path / "none")]) == 2
    assert "there is no study in" in capsys.readouterr().err
