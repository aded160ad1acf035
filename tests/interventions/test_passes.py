from typing import Any

import pytest
import torch

from if_circuits.errors import InputError
from if_circuits.interventions.passes import PassReader
from if_circuits.interventions.scope import PADDING, Scope


class Cache:
    def __init__(self, length: int) -> None:
        self.length = length

    def get_seq_length(self) -> int:
        return self.length


def read(reader: PassReader, shape: tuple[int, int], **kwargs: Any) -> PassReader:
    reader.read(torch.nn.Identity(), (), {"input_ids": torch.zeros(shape, dtype=torch.long), **kwargs})
    return reader


def test_left_padding_has_no_position_and_counts_for_no_prompt() -> None:
    window = read(PassReader(), (2, 3), attention_mask=torch.tensor([[0, 1, 1], [1, 1, 1]])).window
    assert window.positions.tolist() == [[PADDING, 0, 1], [0, 1, 2]]
    assert window.prompt_lengths.tolist() == [2, 3]


def test_a_step_on_the_cache_goes_on_counting_where_the_row_stands() -> None:
    reader = read(PassReader(), (2, 3), attention_mask=torch.tensor([[0, 1, 1], [1, 1, 1]]))
    mask = torch.tensor([[0, 1, 1, 1, 1], [1, 1, 1, 1, 1]])
    window = read(reader, (2, 1), attention_mask=mask, past_key_values=Cache(4)).window
    assert window.positions.tolist() == [[3], [4]]
    assert window.prompt_lengths.tolist() == [2, 3]


def test_without_a_mask_positions_follow_from_the_cache() -> None:
    reader = read(PassReader(), (1, 3))
    assert reader.window.positions.tolist() == [[0, 1, 2]]
    assert read(reader, (1, 1), past_key_values=Cache(3)).window.positions.tolist() == [[3]]


def test_rows_may_leave_the_batch_or_be_copied_between_steps() -> None:
    reader = read(PassReader(), (2, 3), attention_mask=torch.tensor([[0, 1, 1], [1, 1, 1]]))
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 1], [0, 1, 1, 1]])
    window = read(reader, (3, 1), attention_mask=mask, past_key_values=Cache(3)).window
    assert window.prompt_lengths.tolist() == [3, 3, 2]
    assert window.positions.tolist() == [[3], [3], [2]]


def test_a_new_prompt_replaces_the_old_one_unless_lengths_were_given() -> None:
    reader = read(PassReader(), (1, 3))
    assert read(reader, (1, 7)).window.prompt_lengths.tolist() == [7]
    reader = read(PassReader(torch.tensor([4])), (1, 3))
    assert read(reader, (1, 9)).window.prompt_lengths.tolist() == [4]


def test_right_padding_has_no_position() -> None:
    window = read(
        PassReader(torch.tensor([1, 2])), (2, 3), attention_mask=torch.tensor([[1, 1, 0], [1, 1, 1]])
    ).window
    assert window.positions.tolist() == [[0, 1, PADDING], [0, 1, 2]]


def test_rows_continue_the_prompts_that_they_are_said_to() -> None:
    reader = read(PassReader(), (2, 3))
    assert reader.window.prompts.tolist() == [0, 1]
    reader.assign(prompts=torch.tensor([4, 4]), lengths=torch.tensor([3, 3]))
    window = read(reader, (2, 1), past_key_values=Cache(3)).window
    assert window.prompts.tolist() == [4, 4]
    assert window.take(torch.tensor([1])).prompts.tolist() == [4]


def test_a_prompt_of_a_known_length_may_be_read_in_several_passes() -> None:
    reader = PassReader()
    reader.assign(prompts=torch.tensor([0]), lengths=torch.tensor([4]))
    assert not Scope().mask(read(reader, (1, 3)).window).any()
    assert Scope().mask(read(reader, (1, 1), past_key_values=Cache(3)).window).all()


def test_lengths_for_another_batch_are_an_error() -> None:
    with pytest.raises(InputError, match="1 rows, the batch has 2"):
        read(PassReader(torch.tensor([4])), (2, 9))


def test_a_cache_from_before_the_context_is_an_error() -> None:
    with pytest.raises(InputError, match="begin with the prompt"):
        read(PassReader(), (1, 1), past_key_values=Cache(3))


def test_a_mask_that_leaves_out_the_cache_is_an_error() -> None:
    reader = read(PassReader(), (2, 3))
    with pytest.raises(InputError, match=r"\[batch, 4\]"):
        read(reader, (2, 1), attention_mask=torch.ones(2, 1), past_key_values=Cache(3))


def test_no_window_before_the_first_pass() -> None:
    with pytest.raises(RuntimeError, match="no pass"):
        _ = PassReader().window
