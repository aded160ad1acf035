import pytest
import torch

from if_circuits.errors import InputError
from if_circuits.interventions.scope import PADDING, Scope, Window

WHOLE = Window(
    positions=torch.tensor([[0, 1, 2, 3, 4], [PADDING, PADDING, 0, 1, 2]]),
    prompt_lengths=torch.tensor([3, 2]),
    prompts=torch.tensor([0, 1]),
)


@pytest.mark.parametrize(
    ("scope", "first", "second"),
    [
        (Scope(), [0, 0, 1, 1, 1], [0, 0, 0, 1, 1]),
        (Scope(prompt=True, generated=False), [1, 1, 1, 0, 0], [0, 0, 1, 1, 0]),
        (Scope(prompt=True), [1, 1, 1, 1, 1], [0, 0, 1, 1, 1]),
        (Scope(prompt=True, positions=(1, 3)), [0, 1, 1, 0, 0], [0, 0, 0, 1, 1]),
        (Scope(positions=(0, 3)), [0, 0, 1, 0, 0], [0, 0, 0, 1, 1]),
        (Scope(offsets=(0, 1)), [0, 0, 1, 0, 0], [0, 0, 0, 1, 0]),
        (Scope(offsets=(1, None)), [0, 0, 0, 1, 1], [0, 0, 0, 0, 1]),
        (Scope(prompt=True, offsets=(-1, 1)), [0, 1, 1, 0, 0], [0, 0, 1, 1, 0]),
    ],
)
def test_positions_count_from_the_prompts_first_token(
    scope: Scope, first: list[int], second: list[int]
) -> None:
    assert scope.mask(WHOLE).int().tolist() == [first, second]


def test_a_token_read_alone_on_top_of_the_cache_is_touched_as_in_its_sequence() -> None:
    for scope in (
        Scope(),
        Scope(prompt=True, generated=False),
        Scope(positions=(4, 9)),
        Scope(offsets=(0, 1)),
    ):
        whole = scope.mask(WHOLE)
        for column in range(WHOLE.positions.shape[1]):
            step = Window(WHOLE.positions[:, column : column + 1], WHOLE.prompt_lengths, WHOLE.prompts)
            assert scope.mask(step).flatten().tolist() == whole[:, column].tolist()


@pytest.mark.parametrize("positions", [(3, 3), (5, 2), (-1, 4)])
def test_ranges_without_a_token_are_refused(positions: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="start < stop"):
        Scope(positions=positions)
    if positions[0] >= positions[1]:
        with pytest.raises(InputError, match="0 is the prompt's end"):
            Scope(offsets=positions)


def test_a_scope_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="touches no token"):
        Scope(prompt=False, generated=False)


def test_scopes_print_what_they_touch() -> None:
    assert str(Scope()) == "generated"
    assert str(Scope(prompt=True, positions=(2, 7))) == "prompt and generated in [2, 7)"
    assert str(Scope(offsets=(1, None))) == "generated, prompt's end + [1, ...)"
