import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from if_circuits.errors import InputError
from if_circuits.generation.batches import in_batches, out_of_memory


def limited(most: int):
    """Work that fits batches of up to `most` items."""

    def work(batch: object) -> list[int]:
        items: list[int] = list(batch)  # pyright: ignore[reportArgumentType, reportUnknownVariableType, reportCallIssue]
        if len(items) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [2 * item for item in items]

    return work


@settings(max_examples=40)
@given(n=st.integers(0, 40), size=st.integers(1, 40), most=st.integers(1, 40))
def test_every_item_is_worked_on_once_in_order_whatever_fits(n: int, size: int, most: int):
    done = list(in_batches(range(n), size, limited(most), what="test"))
    assert [item for batch, _ in done for item in batch] == list(range(n))
    assert [value for _, values in done for value in values] == [2 * item for item in range(n)]
    assert all(len(batch) <= min(size, most) for batch, _ in done)


def test_halving_is_said(caplog: pytest.LogCaptureFixture):
    list(in_batches(range(8), 8, limited(5), what="reading"))
    assert "reading: out of memory, going on with batches of 4" in caplog.text


def test_one_item_that_does_not_fit_is_an_error_with_advice(caplog: pytest.LogCaptureFixture):
    with pytest.raises(InputError, match="reading: there is not enough memory.*smaller model"):
        list(in_batches(range(4), 2, limited(0), what="reading"))
    assert "batches of 1" in caplog.text


def test_other_errors_pass_through():
    def broken(_: object) -> None:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        list(in_batches(range(4), 2, broken, what="reading"))


def test_the_allocators_own_errors_are_known():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**58)
    assert out_of_memory(caught.value)
    assert out_of_memory(MemoryError())
    assert not out_of_memory(RuntimeError("shapes differ"))
