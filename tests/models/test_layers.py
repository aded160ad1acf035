import pytest

from if_circuits.models.layers import EMBED, depth, hook_name, layer_label


def test_embed_is_what_enters_the_first_block_and_the_others_what_leaves_theirs() -> None:
    assert [hook_name(layer) for layer in (EMBED, 0, 11)] == [
        "blocks.0.hook_in",
        "blocks.0.hook_out",
        "blocks.11.hook_out",
    ]
    assert [layer_label(layer) for layer in (EMBED, 0, 11)] == ["embed", "0", "11"]


def test_depth_runs_from_0_at_embed_to_1_at_the_last_block() -> None:
    assert [depth(layer, 4) for layer in range(EMBED, 4)] == [0, 0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize("layer", [-2, 4])
def test_layers_that_do_not_exist_have_no_depth(layer: int) -> None:
    with pytest.raises(ValueError, match=str(layer)):
        depth(layer, 4)


def test_negative_layers_are_no_indices_from_the_end() -> None:
    with pytest.raises(ValueError, match="-2"):
        hook_name(-2)
