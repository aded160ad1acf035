"""Pictures for tests in which nobody looks at them: drawn small, and not laid out.

Layout and pixels take most of a figure's time. How figures look is tested in tests/analyses/test_figures.py.
"""

from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure


def small_png(figure: Figure) -> bytes:
    """The figure as a small PNG."""
    figure.set_layout_engine("none")
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=20, metadata={"Software": None})
    return buffer.getvalue()
