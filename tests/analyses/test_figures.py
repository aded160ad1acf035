"""Figures of shallow and deep models with nine tasks: nothing covers anything that is to be read."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from math import radians, sin

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text

from if_circuits.analyses.base import ANALYSES
from if_circuits.analyses.decodability.figure import draw as draw_decodability
from if_circuits.analyses.shared.layer_axis import LayerLocator, layer_axis, marker_step
from if_circuits.plotting.style import log_axis, new_figure
from tests.analyses.tables import decodability, results

WITH_LAYERS = (
    "specialist_vs_general",
    "layer_stratification",
    "causal_ablation",
    "localisation",
    "decodability",
)
DRAWN = [(name, n) for n in (7, 31, 80) for name in WITH_LAYERS]
DRAWN += [(name, 31) for name in ANALYSES if name not in WITH_LAYERS]


@cache
def drawn(name: str, n_blocks: int) -> Figure:
    figure = (
        draw_decodability(decodability(n_blocks))
        if name == "decodability"
        else of_depth(n_blocks)[name].figure()
    )
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()  # everything is at its place, and no pixel is computed
    return figure


of_depth = cache(results)


def shown_labels(axis: Axis) -> list[Text]:
    """The tick labels that stand in the figure."""
    low, high = sorted(axis.get_view_interval())
    ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    labels = [tick.label1 for tick in ticks if axis.axes.axison]
    return [label for label in labels if label.get_visible() and label.get_text()]


def clashes(labels: list[Text]) -> list[tuple[str, str]]:
    """Pairs of labels that overlap."""
    boxes = [(label, label.get_window_extent()) for label in labels]
    return [
        (a.get_text(), b.get_text())
        for (a, ours), (b, theirs) in combinations(boxes, 2)
        if ours.overlaps(theirs) and not _slanted_apart(a, b)
    ]


def _slanted_apart(one: Text, other: Text) -> bool:
    """Slanted lines of text are as far apart as their ends are across their slant."""
    angle = one.get_rotation()
    if not angle or angle != other.get_rotation():
        return False
    height = one.get_fontsize() * one.get_figure().dpi / 72
    return abs(one.get_window_extent().x1 - other.get_window_extent().x1) * sin(radians(angle)) >= height


@pytest.mark.parametrize(("name", "n_blocks"), DRAWN)
def test_no_two_tick_labels_overlap(name: str, n_blocks: int):
    figure = drawn(name, n_blocks)
    labels = [
        label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in shown_labels(axis)
    ]
    assert len(labels) > 10
    assert clashes(labels) == []


@pytest.mark.parametrize(("name", "n_blocks"), DRAWN)
def test_legends_and_titles_lie_outside_of_all_data_and_inside_the_figure(name: str, n_blocks: int):
    figure = drawn(name, n_blocks)
    panels = [axes for axes in figure.axes if axes.axison]
    for legend in figure.findobj(Legend):
        place = legend.get_window_extent()
        assert not [axes.get_title() for axes in panels if axes.bbox.overlaps(place)]
        assert place.x0 >= 0
        assert place.x1 <= figure.bbox.x1
        assert place.y0 >= 0
    titles = [axes.title.get_window_extent() for axes in figure.axes if axes.get_title()]
    assert not [1 for a, b in combinations(titles, 2) if a.overlaps(b)]
    assert all(title.x0 >= 0 and title.x1 <= figure.bbox.x1 for title in titles)


@pytest.mark.parametrize("n_blocks", [7, 31, 80])
@pytest.mark.parametrize("name", WITH_LAYERS)
def test_an_axis_of_layers_begins_with_embed_and_has_few_whole_numbers(name: str, n_blocks: int):
    axes = [
        each for each in drawn(name, n_blocks).axes if each.get_xlabel().startswith("layer") and each.axison
    ]
    assert axes
    for each in axes:
        told = [label.get_text() for label in shown_labels(each.xaxis)]
        if not each.get_xlabel().startswith(("layer probed", "layer exchanged")):  # these have no embed
            assert told.pop(0) == "embed"
        assert 2 <= len(told) <= 11
        assert all(number.isdecimal() and int(number) < n_blocks for number in told)


def axis_of(layers: list[float], *, width: float = 4.0) -> list[str]:
    figure, (axes,) = new_figure(width=width, height=2.0)
    axes.plot(layers, np.zeros(len(layers)), "o")
    layer_axis(axes, layers)
    FigureCanvasAgg(figure).draw()
    return [label.get_text() for label in shown_labels(axes.xaxis)]


def test_layers_that_were_captured_are_named_as_they_are():
    assert axis_of([-1, 0, 1, 2, 3, 4, 5]) == ["embed", "0", "1", "2", "3", "4", "5"]
    assert axis_of([3]) == ["3"]
    assert axis_of([-1]) == ["embed"]
    assert axis_of([]) == []
    assert axis_of([10, 20, 30])[0] == "10"
    assert axis_of(list(range(-1, 31)), width=1.5)[0] == "embed"


def test_ticks_are_within_the_layers_whatever_the_margins():
    ticks = LayerLocator(-1, 31).tick_values(-20, 60)
    assert ticks[0] == -1
    assert ticks[-1] <= 31
    assert np.diff(ticks).min() >= 5


def test_a_line_has_few_markers():
    assert [marker_step(n) for n in (0, 1, 7, 16, 17, 32, 81)] == [1, 1, 1, 1, 2, 2, 6]


@pytest.mark.parametrize("reach", [(0.9, 1.3), (0.5, 6.0), (0.004, 0.6), (1e-5, 10.0)])
def test_a_logarithmic_axis_has_a_few_plain_numbers(reach: tuple[float, float]):
    figure, (axes,) = new_figure(width=3.0, height=2.0)
    axes.plot(reach, [0, 1], "o")
    log_axis(axes)
    FigureCanvasAgg(figure).draw()
    told = shown_labels(axes.xaxis)
    assert 2 <= len(told) <= 7
    assert clashes(told) == []
    assert all(float(label.get_text().replace("\u2212", "-")) > 0 for label in told)


def test_what_overlaps_is_found():
    """The check of this file, on the ticks that 31 layers once had."""
    figure, (axes,) = new_figure(width=4.0, height=2.0)
    every_layer(axes, 31)
    FigureCanvasAgg(figure).draw()
    assert clashes(shown_labels(axes.xaxis))


def every_layer(axes: Axes, n_blocks: int) -> None:
    axes.set_xticks(range(n_blocks), [str(layer) for layer in range(n_blocks)])
