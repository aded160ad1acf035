import math
import subprocess
import sys

import pytest

from if_circuits.plotting import style


def test_tasks_of_one_family_share_a_colour_and_differ_in_line():
    lines = {task: style.task_line(task) for task in style.TASK_ORDER}
    assert lines["topic"]["color"] == lines["sentiment"]["color"] != lines["word_count"]["color"]
    assert len({tuple(sorted(line.items())) for line in lines.values()}) == len(style.TASK_ORDER) == 9


def test_order_is_by_family_and_keeps_unknown_tasks():
    assert style.ordered_tasks(["rhyme", "topic", "word_count", "topic"]) == ["word_count", "topic", "rhyme"]
    assert style.task_line("rhyme")["color"] == style.OKABE_ITO["grey"]


def test_figures_are_png_and_the_same_every_time():
    def draw() -> bytes:
        figure, axes = style.new_figure(1, 2)
        for task in ("topic", "register"):
            axes[0].plot([0, 1], [0.5, 0.9], label=style.task_label(task), **style.task_line(task))
        axes[0].legend()
        cells = [[0.5, math.nan], [0.7, 1.0]]
        style.draw_matrix(axes[1], cells, rows=["topic", "register"], columns=["a", "b"], low=0.5, high=1.0)
        assert [text.get_text() for text in axes[1].texts] == ["0.50", "0.70", "1.00"]
        return style.png_bytes(figure)

    first = draw()
    assert first.startswith(b"\x89PNG")
    assert draw() == first


@pytest.mark.slow
def test_no_global_plotting_state_is_loaded():
    code = "import sys, if_circuits.plotting.style; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
