from contextlib import nullcontext
from typing import Any

from if_circuits.doctor.hooks import check_hooks
from if_circuits.models.loading import LoadedModel


def test_hooks_that_never_fire_fail(llama: LoadedModel, monkeypatch: Any) -> None:
    monkeypatch.setattr(type(llama.bridge), "hooks", lambda _, **__: nullcontext())
    check = check_hooks(llama)
    assert check.status == "fail"
    assert "layer embed fires 0 times" in check.detail
