import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from if_circuits.threads import LARGE_D_MODEL, one_thread_each, threads_for


def counts() -> list[int]:
    return [torch.get_num_threads(), *(library["num_threads"] for library in threadpool_info())]


def test_blas_and_torch_have_one_thread_inside_and_their_own_number_again_outside():
    np.ones((2, 2)) @ np.ones((2, 2))
    with threadpool_limits(limits=2):
        before = counts()
        with one_thread_each():
            assert set(counts()) == {1}
        assert counts() == before


def test_a_large_model_keeps_the_threads_it_was_given():
    with threadpool_limits(limits=2):
        before = counts()
        with threads_for(LARGE_D_MODEL):
            assert counts() == before
        with threads_for(LARGE_D_MODEL - 1):
            assert set(counts()) == {1}
        assert counts() == before


def test_the_limit_ends_with_an_error():
    before = counts()
    with pytest.raises(KeyError), one_thread_each():
        raise KeyError
    assert counts() == before
