"""What the tests of whole studies share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from if_circuits.study import closing
from tests.pictures import small_png


@pytest.fixture(scope="session", autouse=True)
def small_pictures() -> Iterator[None]:
    """Pictures took half the time of a small study. From the first of these tests on, before any study is
    made, so that all have the same.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closing, "png_bytes", small_png)
        yield
