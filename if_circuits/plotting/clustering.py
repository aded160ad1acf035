"""Clustering of tasks for figures: one order of rows and columns, and the tree that it comes from.

Average linkage of the distance 1 minus similarity, leaves ordered so that neighbours are alike. It plays no
part in any verdict.
"""

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from scipy.cluster.hierarchy import dendrogram, leaves_list, linkage
from scipy.spatial.distance import squareform

from if_circuits.plotting.style import CONTROL


def linkage_of(similarity: Float[np.ndarray, "tasks tasks"]) -> Float[np.ndarray, "merges 4"]:
    """The tree of the tasks in SciPy's form, without a merge for a single task.

    A pair that was not measured (NaN) counts as having no similarity.
    """
    if len(similarity) < 2:
        return np.empty((0, 4))
    distance = 1 - np.nan_to_num(similarity.astype(np.float64))
    np.fill_diagonal(distance, 0)
    return linkage(squareform(distance, checks=False), method="average", optimal_ordering=True)


def leaf_order(tree: Float[np.ndarray, "merges 4"]) -> Int[np.ndarray, " tasks"]:
    """The tasks in the order of the tree's leaves; in their own order when there are fewer than three."""
    return leaves_list(tree) if len(tree) > 1 else np.arange(len(tree) + 1)


def draw_tree(axes: Axes, tree: Float[np.ndarray, "merges 4"]) -> None:
    """The tree above a matrix whose columns are in `leaf_order`: the leaf of column i stands at x = i."""
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks([])
    axes.set_xlim(-0.5, len(tree) + 0.5)
    if not len(tree):
        axes.set_axis_off()
        return
    # SciPy puts leaf i at 5 + 10 i.
    drawn = dendrogram(tree, no_plot=True)
    for x, y in zip(drawn["icoord"] or (), drawn["dcoord"] or (), strict=True):
        axes.plot((np.asarray(x) - 5) / 10, y, color=CONTROL, linewidth=1)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("distance", fontsize=7)
    axes.tick_params(labelsize=7)
