from dataclasses import replace

import pytest

from if_circuits.doctor import machine
from if_circuits.models.loading import LoadedModel
from if_circuits.models.memory import free_memory


def with_preset(model: LoadedModel, **changes: object) -> LoadedModel:
    return replace(model, preset=replace(model.preset, **changes))  # pyright: ignore[reportArgumentType]


def test_the_estimate_counts_what_can_be_counted(llama: LoadedModel) -> None:
    few = machine.estimate(with_preset(llama, max_new_tokens=10, layers=(-1, 2)))
    all_layers = machine.estimate(with_preset(llama, max_new_tokens=20, layers=None))
    assert few.weights == all_layers.weights == 4 * sum(p.numel() for p in llama.hf.parameters())
    # Keys and values of three layers with two heads of width 8, in float32, a token.
    assert all_layers.row.cache - few.row.cache == 10 * (3 * 2 * 2 * 8 * 4)
    assert all_layers.row.work == few.row.work
    assert all_layers.disk == 2 * few.disk


@pytest.mark.parametrize(
    ("rows", "status", "said"),
    [
        (0.5, "fail", "a machine with more memory"),
        (6, "warn", "takes batches of 4 here in place of 64"),
        (2**20, "pass", "a batch of 64 takes"),
        (None, "pass", "a batch of 64 takes"),
    ],
)
def test_batches_are_as_large_as_memory_allows_and_one_row_is_needed(
    llama: LoadedModel, monkeypatch: pytest.MonkeyPatch, rows: float | None, status: str, said: str
) -> None:
    row = machine.estimate(llama).row.total
    monkeypatch.setattr(machine, "free_memory", lambda _: None if rows is None else int(rows * row))
    check = machine.check_memory(llama)
    assert check.status == status and said in check.detail


def test_the_memory_of_this_machine_is_known() -> None:
    free = free_memory("cpu")
    assert free is not None and free > 2**20
