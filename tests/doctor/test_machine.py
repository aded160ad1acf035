from dataclasses import replace

import pytest

from if_circuits.doctor import machine
from if_circuits.models.loading import LoadedModel
from if_circuits.models.memory import free_memory


def with_preset(model: LoadedModel, **changes: object) -> LoadedModel:
    return replace(model, preset=replace(model.preset, **changes))  # pyright: ignore[reportArgumentType]


def test_the_estimate_counts_what_can_be_counted(llama: LoadedModel) -> None:
    small = machine.estimate(with_preset(llama, batch_size=1, layers=(-1, 2)))
    large = machine.estimate(with_preset(llama, batch_size=8, layers=None))
    assert small.weights == large.weights == 4 * sum(p.numel() for p in llama.hf.parameters())
    assert (large.cache, large.scores) == (8 * small.cache, 8 * small.scores)
    # Keys and values of three layers with two heads of width 8, in float32, a token.
    assert small.cache % (3 * 2 * 2 * 8 * 4) == 0
    assert large.disk == 2 * small.disk


@pytest.mark.parametrize(("free", "status"), [(1, "fail"), (2**40, "pass"), (None, "pass")])
def test_memory_that_is_not_there_fails_the_check(
    llama: LoadedModel, monkeypatch: pytest.MonkeyPatch, free: int | None, status: str
) -> None:
    monkeypatch.setattr(machine, "free_memory", lambda _: free)
    check = machine.check_memory(llama)
    assert check.status == status
    assert ("--batch-size" in check.detail) == (status == "fail")


def test_the_memory_of_this_machine_is_known() -> None:
    free = free_memory("cpu")
    assert free is not None and free > 2**20
