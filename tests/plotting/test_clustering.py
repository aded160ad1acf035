import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from if_circuits.plotting import style
from if_circuits.plotting.clustering import draw_tree, leaf_order, linkage_of


@settings(max_examples=25)
@given(st.permutations(range(6)))
def test_tasks_of_a_group_become_neighbours(shuffled: list[int]):
    group = np.array(shuffled) % 3
    order = leaf_order(linkage_of(np.where(group[:, None] == group, 0.9, 0.1)))
    assert sorted(order.tolist()) == list(range(6))
    assert (np.diff(group[order]) != 0).sum() == 2


def test_a_pair_that_was_not_measured_counts_as_unlike():
    similarity = np.array([[1.0, np.nan, 0.9], [np.nan, 1.0, np.nan], [0.9, np.nan, 1.0]])
    assert leaf_order(linkage_of(similarity)).tolist() in ([1, 0, 2], [1, 2, 0], [0, 2, 1], [2, 0, 1])


def test_fewer_than_three_tasks_keep_their_order_and_draw():
    for n in (1, 2):
        tree = linkage_of(np.eye(n))
        draw_tree(style.new_figure()[1][0], tree)
        assert leaf_order(tree).tolist() == list(range(n))


def test_the_tree_stands_over_the_columns():
    similarity = np.array([[1, 0.1, 0.9, 0.1], [0.1, 1, 0.1, 0.8], [0.9, 0.1, 1, 0.1], [0.1, 0.8, 0.1, 1]])
    axes = style.new_figure()[1][0]
    draw_tree(axes, linkage_of(similarity))
    points = np.concatenate([line.get_xydata() for line in axes.lines])
    feet = set(points[points[:, 1] == 0, 0].tolist())
    assert feet == {0, 1, 2, 3}
    assert axes.get_xlim() == (-0.5, 3.5)
