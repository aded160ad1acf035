import math
import subprocess
import sys

import pytest

from if_circuits.plotting import style
from if_circuits.plotting.families import task_looks


def test_figures_are_png_and_the_same_every_time():
    def draw() -> bytes:
        figure, axes = style.new_figure(1, 2)
        for task, look in task_looks({"topic": "semantic", "register": "stylistic"}).items():
            axes[0].plot([0, 1], [0.5, 0.9], label=style.task_label(task), **look)
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
