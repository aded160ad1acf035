"""A name that is nobody's is known to be so at once, with and without a network."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from if_circuits.cli.main import main
from if_circuits.doctor import examine
from if_circuits.errors import InputError
from if_circuits.models import hub
from if_circuits.models.loading import load_model


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was looked up of a network that is not there."""
    calls: list[Any] = []

    def refuse(*arguments: Any, **_: Any) -> None:
        calls.append(arguments)
        raise socket.gaierror("no such host")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("transformers.utils.hub.is_offline_mode", lambda: False)
    return calls


@pytest.mark.parametrize("look", [load_model, examine])
def test_a_mistyped_name_without_a_network_is_one_line_after_one_look(asked: list[Any], look: Any) -> None:
    started = time.perf_counter()
    with pytest.raises(InputError, match=r"'if-tinny' cannot be loaded: .*nearest presets are if-tiny") as e:
        look("if-tinny")
    assert "\n" not in str(e.value)
    assert 1 <= len(asked) <= 2  # once a process, the hub's client asks something of its own before
    assert time.perf_counter() - started < 30  # on busy cores; the loaders alone try for minutes


def test_the_command_line_says_it_on_one_line(asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "smollm-135m"]) == 2
    assert 1 <= len(asked) <= 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "'smollm-135m' cannot be loaded" in line and "presets" in line


def test_offline_nobody_is_asked(asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="HF_HUB_OFFLINE forbids"):
        load_model("nobody/no-such-model")
    assert not asked


def test_what_is_in_the_cache_is_not_asked_for(asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: "/cache/config.json")
    hub.check_on_hub("somebody/model", source="somebody/model")
    assert not asked


def test_names_that_the_hub_does_not_have_or_cannot_have_are_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError

    def answer(error: type[Exception]) -> None:
        def metadata(*_: Any, **__: Any) -> None:
            raise error.__new__(error)

        monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", metadata)

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    answer(RepositoryNotFoundError)
    with pytest.raises(InputError, match="hub has no model of that name"):
        hub.check_on_hub("gemma-2b", source="gemma-2b")
    answer(EntryNotFoundError)
    hub.check_on_hub("somebody/weights", source="somebody/weights")
    with pytest.raises(InputError, match="no name that the Hugging Face hub could know"):
        hub.check_on_hub("a model", source="a model")
