"""What the tests of whole studies share."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

import pytest
from matplotlib.figure import Figure

from if_circuits.study import closing


def _small(figure: Figure) -> bytes:
    figure.set_layout_engine("none")
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=20, metadata={"Software": None})
    return buffer.getvalue()


@pytest.fixture(scope="package", autouse=True)
def small_pictures() -> Iterator[None]:
    """Pictures are drawn small and not laid out, which took half the time of a small study.

    How they look is tested in tests/analyses/test_figures.py.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closing, "png_bytes", _small)
        yield
